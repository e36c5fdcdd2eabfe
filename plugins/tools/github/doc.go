// Command github is a Ringfence tool that reads issues, pull requests and files
// through GitHub's REST API (version 2022-11-28).
//
// It only reads. It needs one capability, GET requests to the API, and never
// sees a token: the host adds the credential that the policy names.
//
//	plugin "github" {
//	  source = "./github.wasm"
//	  http {
//	    allow "api.github.com" {
//	      methods = ["GET"]
//	      paths   = ["/repos/**", "/repositories/**", "/search/issues"]
//	      credential "github" { bearer = true }
//	    }
//	  }
//	}
//
// GitHub answers for a renamed repository with a redirect to /repositories/ID,
// which is why that path is in the list.
//
// Two environment variables, set in the policy's env, change where it looks:
// GITHUB_API_URL is the API's address (https://HOST/api/v3 for GitHub Enterprise
// Server), and GITHUB_SECRET is the name of the policy's secret that holds the
// token ("github" if unset), used only to say whether one is missing.
//
// Answers are trimmed to what an assistant needs, texts are cut at a length that
// the caller chooses, and lists come in pages: next_page is there as long
// as there is another.
package main
