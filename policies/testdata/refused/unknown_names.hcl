plugins "github" {
}

guard_plugin "pii" {
  source = "./guards/pii.wasm"
}

plugin "github" {
  source  = "./github.wasm"
  sorce   = "x"
  limits  = {}
  env {
    LANG = "C"
  }
  http {
    allow "api.github.com" {
      pahts   = ["/repos/**"]
      mehtods = ["GET"]
      crdential "x" {
        bearer = true
      }
    }
    allow {
    }
    allow "a.example" "b.example" {
    }
  }
}
