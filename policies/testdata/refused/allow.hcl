secret "github" {
  value = var.token
}

variable "token" {
  default   = "x"
  sensitive = true
}

plugin "a" {
  source = "a.wasm"
  http {
    allow "https://api.github.com/v1" {
    }
    allow "user@api.github.com" {
    }
    allow "*.com" {
    }
    allow "аpi.github.com" {
    }
    allow "ftp://api.github.com" {
    }
    allow "api.github.com" {
      methods = ["get", "BREW", 1]
      paths   = ["repos", "/a?b=c", "/a/../b"]
    }
    allow "api.github.com" {
      methods = []
      paths   = "/v1"
    }
    allow "api.github.com" {
      methods = ["CONNECT", "put"]
      paths   = []
      credential "githb" {
        bearer = true
      }
    }
    allow "api.github.com" {
      credential "github" {
        bearer = true
        header = "Host"
      }
    }
    allow "api.github.com" {
      credential "github" {
      }
    }
    allow "api.github.com" {
      credential "github" {
        bearer = false
        prefix = "x"
      }
    }
    allow "api.github.com" {
      credential "github" {
        basic = "me:too"
      }
      credential "github" {
        query = "a b"
      }
    }
  }
}
