variable "token" {
  default = "plain"
}

secret "a" {
  value = var.token
}

secret "unused" {
  value = "written in the policy"
}

plugin "a" {
  source = "a.wasm"
  limits {
    processes = 200
  }
  http {
    allow "http://api.example.com" {
      credential "a" {
        bearer = true
      }
    }
    allow "http://localhost:8080" {
      credential "a" {
        bearer = true
      }
    }
    allow "http://169.254.169.254" {
    }
  }
}

plugin "b" {
  source = "b.wasm"
  http {
  }
}

plugin "d" {
  source = "d.wasm"
  workspace "w" {
    path      = "/srv/w"
    max_files = 3
  }
}
