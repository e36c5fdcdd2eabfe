package main

import (
	"strconv"
	"time"
)

// PullRequest is what is worth knowing about a pull request.
type PullRequest struct {
	Number    int        `json:"number"`
	Title     string     `json:"title"`
	State     string     `json:"state" description:"open or closed"`
	Draft     bool       `json:"draft,omitempty"`
	Merged    bool       `json:"merged,omitempty"`
	Author    string     `json:"author"`
	Head      Branch     `json:"head" description:"what is to be merged"`
	Base      Branch     `json:"base" description:"where it is to go"`
	Labels    []string   `json:"labels,omitempty"`
	Assignees []string   `json:"assignees,omitempty"`
	Reviewers []string   `json:"requested_reviewers,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	ClosedAt  *time.Time `json:"closed_at"`
	MergedAt  *time.Time `json:"merged_at"`
	URL       string     `json:"url"`
	Body      string     `json:"body,omitempty"`
}

// Branch is one end of a pull request.
type Branch struct {
	Ref        string `json:"ref"`
	SHA        string `json:"sha"`
	Repository string `json:"repository,omitempty" description:"owner/repo, if it still exists"`
}

type apiPull struct {
	Number             int
	Title              string
	State              string
	Draft              bool
	User               *apiUser
	Head, Base         apiBranch
	Labels             []apiLabel
	Assignees          []apiUser
	RequestedReviewers []apiUser  `json:"requested_reviewers"`
	CreatedAt          time.Time  `json:"created_at"`
	UpdatedAt          time.Time  `json:"updated_at"`
	ClosedAt           *time.Time `json:"closed_at"`
	MergedAt           *time.Time `json:"merged_at"`
	HTMLURL            string     `json:"html_url"`
	Body               string

	// Only in the answer for a single pull request:
	MergedBy       *apiUser `json:"merged_by"`
	Mergeable      *bool
	MergeableState string `json:"mergeable_state"`
	Comments       int
	ReviewComments int `json:"review_comments"`
	Commits        int
	Additions      int
	Deletions      int
	ChangedFiles   int `json:"changed_files"`
}

type apiBranch struct {
	Ref  string
	SHA  string
	Repo *struct { // null when a fork was deleted
		FullName string `json:"full_name"`
	}
}

func (b *apiBranch) trim() Branch {
	branch := Branch{Ref: b.Ref, SHA: b.SHA}
	if b.Repo != nil {
		branch.Repository = b.Repo.FullName
	}
	return branch
}

func (p *apiPull) trim(bodyLimit int) PullRequest {
	pull := PullRequest{
		Number: p.Number, Title: p.Title, State: p.State, Draft: p.Draft, Merged: p.MergedAt != nil,
		Author: p.User.name(), Head: p.Head.trim(), Base: p.Base.trim(), Labels: labelNames(p.Labels),
		Assignees: logins(p.Assignees), Reviewers: logins(p.RequestedReviewers),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, ClosedAt: p.ClosedAt, MergedAt: p.MergedAt, URL: p.HTMLURL,
	}
	if bodyLimit > 0 {
		pull.Body = cut(p.Body, bodyLimit)
	}
	return pull
}

// ListPullsArgs are the arguments of list_pull_requests.
type ListPullsArgs struct {
	Repository
	State     string `json:"state" enum:"open,closed,all" default:"open"`
	Head      string `json:"head,omitempty" description:"only from this branch, as owner:branch"`
	Base      string `json:"base,omitempty" description:"only into this branch"`
	Sort      string `json:"sort" enum:"created,updated,popularity,long-running" default:"created"`
	Direction string `json:"direction" enum:"asc,desc" default:"desc"`
	BodyChars int    `json:"body_chars" description:"characters of each text to return" default:"0" minimum:"0" maximum:"20000"`
	Paging
}

// PullList is a page of pull requests.
type PullList struct {
	PullRequests []PullRequest `json:"pull_requests"`
	Next         int           `json:"next_page,omitempty" description:"there is more on this page"`
}

func listPullRequests(args ListPullsArgs) (PullList, error) {
	base, err := args.path()
	if err != nil {
		return PullList{}, err
	}
	query := args.query()
	query.Set("state", args.State)
	query.Set("sort", args.Sort)
	query.Set("direction", args.Direction)
	set(query, "head", args.Head)
	set(query, "base", args.Base)
	var found []apiPull
	next, err := get("the pull requests of "+args.Owner+"/"+args.Repo, base+"/pulls", query, &found)
	list := PullList{Next: next.page}
	for i := range found {
		list.PullRequests = append(list.PullRequests, found[i].trim(args.BodyChars))
	}
	return list, err
}

// GetPullArgs are the arguments of get_pull_request.
type GetPullArgs struct {
	Repository
	Number     int `json:"number" minimum:"1"`
	BodyChars  int `json:"body_chars" description:"characters of the text to return" default:"8000" minimum:"0" maximum:"100000"`
	PatchChars int `json:"patch_chars" description:"characters of each file's patch to return" default:"2000" minimum:"0" maximum:"100000"`
	Paging         // of the files
}

// ChangedFile is a file that a pull request changes.
type ChangedFile struct {
	Path      string `json:"path"`
	Status    string `json:"status" description:"added, removed, modified, renamed, copied, changed or unchanged"`
	Previous  string `json:"previous_path,omitempty"`
	Additions int    `json:"additions"`
	Deletions int    `json:"deletions"`
	Patch     string `json:"patch,omitempty" description:"absent for binary and very large files"`
}

type apiFile struct {
	Filename         string
	Status           string
	PreviousFilename string `json:"previous_filename"`
	Additions        int
	Deletions        int
	Patch            string
}

// PullDetail is a pull request with a page of its files.
type PullDetail struct {
	PullRequest    PullRequest   `json:"pull_request"`
	MergedBy       string        `json:"merged_by,omitempty"`
	Mergeable      *bool         `json:"mergeable" description:"absent while GitHub is still finding out"`
	MergeableState string        `json:"mergeable_state,omitempty" description:"clean, dirty (conflicts), blocked, behind, unstable, draft or unknown"`
	Comments       int           `json:"comments"`
	ReviewComments int           `json:"review_comments"`
	Commits        int           `json:"commits"`
	Additions      int           `json:"additions"`
	Deletions      int           `json:"deletions"`
	ChangedFiles   int           `json:"changed_files" description:"all of them, of which the first 3000 can be read"`
	Files          []ChangedFile `json:"files"`
	Next           int           `json:"next_page,omitempty" description:"there are more files on this page"`
}

func getPullRequest(args GetPullArgs) (PullDetail, error) {
	base, err := args.path()
	if err != nil {
		return PullDetail{}, err
	}
	number := strconv.Itoa(args.Number)
	what := "pull request " + number + " of " + args.Owner + "/" + args.Repo
	var p apiPull
	if _, err := get(what, base+"/pulls/"+number, nil, &p); err != nil {
		return PullDetail{}, err
	}
	detail := PullDetail{
		PullRequest: p.trim(args.BodyChars), Mergeable: p.Mergeable, MergeableState: p.MergeableState,
		Comments: p.Comments, ReviewComments: p.ReviewComments, Commits: p.Commits,
		Additions: p.Additions, Deletions: p.Deletions, ChangedFiles: p.ChangedFiles,
	}
	if p.MergedBy != nil {
		detail.MergedBy = p.MergedBy.name()
	}
	var files []apiFile
	next, err := get("the files of "+what, base+"/pulls/"+number+"/files", args.query(), &files)
	detail.Next = next.page
	for _, f := range files {
		file := ChangedFile{Path: f.Filename, Status: f.Status, Previous: f.PreviousFilename, Additions: f.Additions, Deletions: f.Deletions}
		if args.PatchChars > 0 {
			file.Patch = cut(f.Patch, args.PatchChars)
		}
		detail.Files = append(detail.Files, file)
	}
	return detail, err
}
