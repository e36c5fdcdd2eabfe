package main

import "github.com/ringfence/ringfence/pluginkit/guest"

func init() {
	guest.Tool("list_issues", "Lists the issues of a repository, newest first, without its pull requests.", listIssues, guest.ReadOnly(), guest.OpenWorld())
	guest.Tool("get_issue", "Reads one issue with its text and comments. Works for pull requests as well.", getIssue, guest.ReadOnly(), guest.OpenWorld())
	guest.Tool("search_issues", "Searches issues and pull requests with GitHub's search syntax, "+
		"for example: repo:golang/go is:issue is:open label:NeedsFix \"out of memory\". "+
		"Say is:issue or is:pr. At most the first 1000 matches can be read.", searchIssues, guest.ReadOnly(), guest.OpenWorld())
	guest.Tool("list_pull_requests", "Lists the pull requests of a repository.", listPullRequests, guest.ReadOnly(), guest.OpenWorld())
	guest.Tool("get_pull_request", "Reads one pull request with its text, its state and the files that it changes.", getPullRequest, guest.ReadOnly(), guest.OpenWorld())
	guest.Tool("get_file", "Reads a file of a repository, or lists a directory.", getFile, guest.ReadOnly(), guest.OpenWorld())
}

func main() {}
