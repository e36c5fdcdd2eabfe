secret "a" {
  command = ["pass", "show", "github"]
}

secret "b" {
  keyring = "github"
}

secret "c" {
  vault {
    path = "kv/github"
  }
}

secret "d" {
  age = "secret.age"
}

plugin "github" {
  source = "https://example.com/github.wasm"
  engine = "wazero"

  isolation = "strict"

  limits {
    fuel     = 1000
    ring_max = "16MiB"
  }

  http {
    allow "api.github.com" {
      credential "a" {
        path = "{token}"
      }
    }
  }

  guard "leak" {
    on = ["input"]
  }
}
