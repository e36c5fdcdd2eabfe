package main

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Issue is what is worth knowing about an issue.
type Issue struct {
	Number      int        `json:"number"`
	Title       string     `json:"title"`
	State       string     `json:"state" description:"open or closed"`
	StateReason string     `json:"state_reason,omitempty" description:"completed, not_planned, reopened or duplicate"`
	PullRequest bool       `json:"pull_request,omitempty" description:"true if this is a pull request"`
	Author      string     `json:"author"`
	Labels      []string   `json:"labels,omitempty"`
	Assignees   []string   `json:"assignees,omitempty"`
	Milestone   string     `json:"milestone,omitempty"`
	Locked      bool       `json:"locked,omitempty"`
	Comments    int        `json:"comments" description:"how many there are"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	ClosedAt    *time.Time `json:"closed_at"`
	URL         string     `json:"url"`
	Body        string     `json:"body,omitempty"`
}

// The API's shapes, as far as they are used.
type (
	apiUser  struct{ Login string }
	apiIssue struct {
		Number      int
		Title       string
		State       string
		StateReason string `json:"state_reason"`
		PullRequest *struct {
			MergedAt *time.Time `json:"merged_at"`
		} `json:"pull_request"`
		User      *apiUser // null when the account is gone
		Labels    []apiLabel
		Assignees []apiUser
		Milestone *struct{ Title string }
		Locked    bool
		Comments  int
		CreatedAt time.Time  `json:"created_at"`
		UpdatedAt time.Time  `json:"updated_at"`
		ClosedAt  *time.Time `json:"closed_at"`
		HTMLURL   string     `json:"html_url"`
		Body      string     // null becomes ""
	}
	apiLabel struct{ Name string }
)

func (u *apiUser) name() string {
	if u == nil || u.Login == "" {
		return "ghost" // as GitHub shows an account that is gone
	}
	return u.Login
}

func logins(users []apiUser) []string {
	var names []string
	for _, u := range users {
		names = append(names, u.Login)
	}
	return names
}

func labelNames(labels []apiLabel) []string {
	var names []string
	for _, l := range labels {
		names = append(names, l.Name)
	}
	return names
}

func (i *apiIssue) trim(bodyLimit int) Issue {
	issue := Issue{
		Number: i.Number, Title: i.Title, State: i.State, StateReason: i.StateReason,
		PullRequest: i.PullRequest != nil, Author: i.User.name(), Labels: labelNames(i.Labels),
		Assignees: logins(i.Assignees), Locked: i.Locked, Comments: i.Comments,
		CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, ClosedAt: i.ClosedAt, URL: i.HTMLURL,
	}
	if i.Milestone != nil {
		issue.Milestone = i.Milestone.Title
	}
	if bodyLimit > 0 {
		issue.Body = cut(i.Body, bodyLimit)
	}
	return issue
}

// ListIssuesArgs are the arguments of list_issues.
type ListIssuesArgs struct {
	Repository
	State     string   `json:"state" enum:"open,closed,all" default:"open"`
	Labels    []string `json:"labels,omitempty" description:"only issues with all of these"`
	Assignee  string   `json:"assignee,omitempty" description:"a login, * for anybody, none for nobody"`
	Creator   string   `json:"creator,omitempty" description:"the login of the author"`
	Since     string   `json:"since,omitempty" description:"only issues changed since, such as 2026-01-31T00:00:00Z"`
	Sort      string   `json:"sort" enum:"created,updated,comments" default:"created"`
	Direction string   `json:"direction" enum:"asc,desc" default:"desc"`
	BodyChars int      `json:"body_chars" description:"characters of each text to return" default:"0" minimum:"0" maximum:"20000"`
	After     string   `json:"after,omitempty" description:"next_after of the page before this one; GitHub wants it beyond the first thousands of entries"`
	Paging
}

// IssueList is a page of issues.
type IssueList struct {
	Issues  []Issue `json:"issues"`
	Skipped int     `json:"skipped_pull_requests,omitempty" description:"entries of this page that were pull requests"`
	Next    int     `json:"next_page,omitempty" description:"there is more on this page"`
	After   string  `json:"next_after,omitempty" description:"to be given as after when asking for next_page"`
}

func listIssues(args ListIssuesArgs) (IssueList, error) {
	base, err := args.path()
	if err != nil {
		return IssueList{}, err
	}
	query := args.query()
	query.Set("state", args.State)
	query.Set("sort", args.Sort)
	query.Set("direction", args.Direction)
	set(query, "labels", strings.Join(args.Labels, ","))
	set(query, "assignee", args.Assignee)
	set(query, "creator", args.Creator)
	set(query, "since", args.Since)
	set(query, "after", args.After)
	var found []apiIssue
	next, err := get("the issues of "+args.Owner+"/"+args.Repo, base+"/issues", query, &found)
	list := IssueList{Next: next.page, After: next.after}
	for i := range found {
		if found[i].PullRequest != nil {
			list.Skipped++
			continue
		}
		list.Issues = append(list.Issues, found[i].trim(args.BodyChars))
	}
	return list, err
}

// GetIssueArgs are the arguments of get_issue.
type GetIssueArgs struct {
	Repository
	Number    int `json:"number" minimum:"1"`
	BodyChars int `json:"body_chars" description:"characters of each text to return" default:"8000" minimum:"0" maximum:"100000"`
	Paging        // of the comments
}

// Comment is one comment of an issue.
type Comment struct {
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Body      string    `json:"body"`
	URL       string    `json:"url"`
}

type apiComment struct {
	User      *apiUser
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Body      string
	HTMLURL   string `json:"html_url"`
}

// IssueDetail is an issue with a page of its comments.
type IssueDetail struct {
	Issue    Issue     `json:"issue"`
	Comments []Comment `json:"comments" description:"oldest first"`
	Next     int       `json:"next_page,omitempty" description:"there are more comments on this page"`
}

func getIssue(args GetIssueArgs) (IssueDetail, error) {
	base, err := args.path()
	if err != nil {
		return IssueDetail{}, err
	}
	number := strconv.Itoa(args.Number)
	what := "issue " + number + " of " + args.Owner + "/" + args.Repo
	var issue apiIssue
	if _, err := get(what, base+"/issues/"+number, nil, &issue); err != nil {
		return IssueDetail{}, err
	}
	detail := IssueDetail{Issue: issue.trim(args.BodyChars)}
	if issue.Comments == 0 {
		return detail, nil
	}
	var comments []apiComment
	next, err := get("the comments of "+what, base+"/issues/"+number+"/comments", args.query(), &comments)
	detail.Next = next.page
	for _, c := range comments {
		detail.Comments = append(detail.Comments, Comment{
			Author: c.User.name(), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
			Body: cut(c.Body, args.BodyChars), URL: c.HTMLURL,
		})
	}
	return detail, err
}

// SearchArgs are the arguments of search_issues.
type SearchArgs struct {
	Query     string `json:"query" description:"words and qualifiers, such as: repo:golang/go is:issue state:open panic in:title"`
	Sort      string `json:"sort,omitempty" enum:"comments,reactions,interactions,created,updated" description:"best match if left out"`
	Order     string `json:"order" enum:"asc,desc" default:"desc"`
	BodyChars int    `json:"body_chars" description:"characters of each text to return" default:"0" minimum:"0" maximum:"20000"`
	Paging
}

// SearchResult is a page of matches.
type SearchResult struct {
	Total      int           `json:"total" description:"all matches, of which the first 1000 can be read"`
	Incomplete bool          `json:"incomplete,omitempty" description:"GitHub ran out of time and did not look everywhere"`
	Items      []FoundInRepo `json:"items"`
	Next       int           `json:"next_page,omitempty" description:"there is more on this page"`
}

// FoundInRepo is a match and where it was found.
type FoundInRepo struct {
	Repository string `json:"repository" description:"owner/repo"`
	Issue
}

func searchIssues(args SearchArgs) (SearchResult, error) {
	query := args.query()
	query.Set("q", args.Query)
	if args.Sort != "" {
		query.Set("sort", args.Sort)
		query.Set("order", args.Order)
	}
	var found struct {
		TotalCount        int  `json:"total_count"`
		IncompleteResults bool `json:"incomplete_results"`
		Items             []struct {
			apiIssue
			RepositoryURL string `json:"repository_url"`
		}
	}
	next, err := get("the search", "/search/issues", query, &found)
	result := SearchResult{Total: found.TotalCount, Incomplete: found.IncompleteResults, Next: next.page}
	for i := range found.Items {
		item := &found.Items[i]
		result.Items = append(result.Items, FoundInRepo{repositoryOf(item.RepositoryURL), item.trim(args.BodyChars)})
	}
	return result, err
}

// repositoryOf reads owner/repo from https://api.github.com/repos/owner/repo.
func repositoryOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(u.Path, "/repos/")
	return name
}
