plugin "GitHub" {
  source = "a.wasm"
}

plugin "a" {
}

plugin "b" {
  source   = ""
  sha256   = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
  engine   = "wasmar"
  lifetime = "sesion"
  env      = ["LANG=C"]
}

plugin "c" {
  source = wasmer
  sha256 = "9f86"
  env = {
    "A B" = "x"
    LIST  = []
    NONE  = null
    NUL   = "\u0000"
  }
}

plugin "c" {
  source = "again.wasm"
}

plugin "d" {
  source = ["a.wasm"]
  limits {
  }
  limits {
  }
}

plugin "e" {
  source = "~bob/a.wasm"
  env    = { for k in ["a"] : k => k }
}

plugin "f" {
  source = env("SOURCE")
  sha256 = sha256("x")
  engine = null
}
