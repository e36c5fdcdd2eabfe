variable "token" {
  default   = env("DEMO_TOKEN")
  sensitive = true
}

secret "github" {
  value = var.token
}

plugin "github" {
  source = "TOOLS/github.wasm"
  env = {
    GITHUB_API_URL = "INTERNET"
  }
  http {
    allow "INTERNET" {
      methods = ["GET"]
      paths   = ["/repos/*/*/issues"]

      credential "github" {
        bearer = true
      }
    }
  }
}

plugin "jq" {
  source = "TOOLS/jq.wasm"
  limits {
    memory = "512MiB"
  }
}

plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory   = "64MiB"
    cpu_time = "1s"
  }
  http {
    allow "INTERNET" {
      paths = ["/repos/*/*/issues"]
    }
  }
}

plugin "webfetch" {
  source = "TOOLS/webfetch.wasm"
  http {
    allow "INTERNET" {
      paths = ["/news/*"]
    }
  }
}
