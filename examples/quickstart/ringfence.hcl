# Two tools for an assistant: jq, which needs nothing but its input, and GitHub,
# which may read issues and pull requests, and nothing else.
#
# GitHub answers for a renamed repository with a redirect to /repositories/ID, so
# the paths are there twice.
#
#   GITHUB_TOKEN=… ringfence call github.list_issues '{"owner": "golang", "repo": "go"}'

variable "github_token" {
  default   = env("GITHUB_TOKEN")
  sensitive = true
}

secret "github" {
  value = var.github_token
}

plugin "github" {
  source = "../../bin/tools/github.wasm"

  limits {
    memory       = "64MiB"
    call_timeout = "30s"
  }

  http {
    allow "api.github.com" {
      methods = ["GET"]
      paths   = ["/repos/*/*/issues/**", "/repos/*/*/pulls/**", "/repos/*/*/contents/**", "/search/issues", "/repositories/*/issues/**", "/repositories/*/pulls/**", "/repositories/*/contents/**"]

      credential "github" {
        bearer = true
      }
    }
    rate = "60/m"
  }
}

plugin "jq" {
  source = "../../bin/tools/jq.wasm"

  limits {
    memory = "512MiB"
  }
}
