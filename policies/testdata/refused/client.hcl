plugin "p" {
  source = "./p.wasm"

  client {
    elicitation = "maybe"
    sampling    = true
    max_tokens  = 0
    rate        = "0/m"
    roots       = true
    timeout     = "1ms"
  }

  tool "remove" {
    read_only   = true
    destructive = true
  }
  tool "remove" {
    readonly = true
  }
  tool "../x" {
    read_only = true
  }
  tool {
    read_only = true
  }
}
