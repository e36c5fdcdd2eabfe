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

  isolation = "strict"

  limits {
    fuel = 1000
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
