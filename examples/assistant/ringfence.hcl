# Four tools for an assistant: the web, notes, GitHub, and jq to compute with.
# `ringfence mcp --policy ringfence.hcl` serves them; README.md has the configuration
# of common clients.

variable "github_token" {
  default   = env("GITHUB_TOKEN") # a token that can read public repositories is enough
  sensitive = true
}

secret "github" {
  value = var.github_token
}

# Reads pages of these sites, and of no others: the list is yours to change. Whatever
# a tool has read can leave only to where some tool may send.
plugin "webfetch" {
  source = "../../bin/tools/webfetch.wasm"

  http {
    allow "en.wikipedia.org" {
      paths = ["/wiki/**"]
    }
    allow "developer.mozilla.org" {
      paths = ["/**"]
    }
    allow "go.dev" {
      paths = ["/**"]
    }
    allow "pkg.go.dev" {
      paths = ["/**"]
    }
    allow "docs.python.org" {
      paths = ["/**"]
    }
    rate = "30/m"
  }
}

# Reads, searches and adds notes in one folder. It has no network.
plugin "notes" {
  source = "../../bin/tools/notes.wasm"

  workspace "notes" {
    path   = "./notes"
    access = "write"
  }
}

# Reads issues, pull requests and files. The token is added by the host.
plugin "github" {
  source = "../../bin/tools/github.wasm"

  http {
    allow "api.github.com" {
      methods = ["GET"]
      paths   = ["/repos/**", "/repositories/**", "/search/issues"]

      credential "github" {
        bearer = true
      }
    }
    rate = "60/m"
  }
}

# Computes, and can do nothing else.
plugin "jq" {
  source = "../../bin/tools/jq.wasm"

  limits {
    memory = "512MiB"
  }
}
