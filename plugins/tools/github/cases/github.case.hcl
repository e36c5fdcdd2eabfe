plugin = "../../../../bin/tools/github.wasm"

case "lists issues, with a token that the tool never has" {
  tool    = "list_issues"
  input   = { owner = "octo-org", repo = "octo-repo" }
  secrets = { github = "ghp_000000000000000000000000000000000000" }
  grant {
    http {
      allow "api.github.com" {
        paths = ["/repos/*/*/issues"]
        credential "github" {
          bearer = true
        }
      }
    }
  }
  answer "GET https://api.github.com/repos/octo-org/octo-repo/issues?direction=desc&page=1&per_page=30&sort=created&state=open" {
    headers = { "Content-Type" = "application/json" }
    body    = file("../testdata/issues.json")
  }
  expect {
    text = ["Found a bug", "octocat"]
  }
}

case "an answer that repeats the token is withheld" {
  tool    = "list_issues"
  input   = { owner = "octo-org", repo = "octo-repo" }
  secrets = { github = "ghp_000000000000000000000000000000000000" }
  grant {
    http {
      allow "api.github.com" {
        paths = ["/repos/*/*/issues"]
        credential "github" {
          bearer = true
        }
      }
    }
  }
  answer "GET https://api.github.com/repos/octo-org/octo-repo/issues?direction=desc&page=1&per_page=30&sort=created&state=open" {
    body = "[\"ghp_000000000000000000000000000000000000\"]"
  }
  expect {
    denied = "withheld"
  }
}
