package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

const (
	mediaJSON = "application/vnd.github+json"
	mediaRaw  = "application/vnd.github.raw+json"

	// maxAnswer bounds an answer of the API; a page of 100 changed files with
	// patches stays far below.
	maxAnswer = 16 << 20
)

// apiURL is the API's address without a slash at the end.
func apiURL() (string, error) {
	base := os.Getenv("GITHUB_API_URL")
	if base == "" {
		return "https://api.github.com", nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("GITHUB_API_URL in the policy's env is %q; it must be an address such as https://api.github.com or https://HOST/api/v3", base)
	}
	return strings.TrimRight(base, "/"), nil
}

// request asks the API for path, which begins with a slash and is escaped. what
// names the thing for error messages. An answer other than 200 is an error.
func request(what, path string, query url.Values, media string) (*guest.Response, error) {
	base, err := apiURL()
	if err != nil {
		return nil, err
	}
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	response, err := guest.Fetch(guest.Request{URL: address, Header: guest.Header{
		"Accept":               {media},
		"User-Agent":           {"ringfence-github"},
		"X-Github-Api-Version": {"2022-11-28"},
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if response.Status != 200 {
		return nil, failure(what, response)
	}
	return response, nil
}

// get asks for JSON and returns where the list goes on.
func get(what, path string, query url.Values, into any) (next link, err error) {
	response, err := request(what, path, query, mediaJSON)
	if err != nil {
		return link{}, err
	}
	body, err := response.ReadAll(maxAnswer)
	if errors.Is(err, guest.ErrLimit) {
		return link{}, fmt.Errorf("%s: the answer is too large; ask for fewer with per_page: %w", what, err)
	}
	if err != nil {
		return link{}, fmt.Errorf("%s: %w", what, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return link{}, fmt.Errorf("%s: %s answered with something that is not the API's JSON; is GITHUB_API_URL right? (%w)", what, response.URL, err)
	}
	return nextPage(response.Header), nil
}

// Paging is which part of a list to read. It is embedded in arguments.
type Paging struct {
	Page    int `json:"page" description:"the page to read, from 1" default:"1" minimum:"1"`
	PerPage int `json:"per_page" description:"entries on a page" default:"30" minimum:"1" maximum:"100"`
}

func (p Paging) query() url.Values {
	return url.Values{"page": {strconv.Itoa(p.Page)}, "per_page": {strconv.Itoa(p.PerPage)}}
}

// link is the next page of a list: its number, 0 if there is none, and the cursor
// that GitHub demands besides when the list is long.
type link struct {
	page  int
	after string
}

// nextPage reads a Link header:
//
//	<https://api.github.com/repositories/1/issues?page=2&after=Y3…>; rel="next", <…>; rel="last"
func nextPage(header guest.Header) link {
	for entry := range strings.SplitSeq(strings.Join(header.Values("Link"), ","), ",") {
		target, parameters, _ := strings.Cut(strings.TrimSpace(entry), ";")
		if !strings.Contains(parameters, `rel="next"`) {
			continue
		}
		u, err := url.Parse(strings.Trim(target, "<> "))
		if err != nil {
			return link{}
		}
		page, _ := strconv.Atoi(u.Query().Get("page"))
		return link{max(page, 0), u.Query().Get("after")}
	}
	return link{}
}

// set adds a parameter unless it is empty.
func set(query url.Values, key, value string) {
	if value != "" {
		query.Set(key, value)
	}
}

// cut shortens a text to limit characters and says so.
func cut(text string, limit int) string {
	count := 0
	for i := range text {
		if count == limit {
			rest := len([]rune(text[i:]))
			return fmt.Sprintf("%s… [%d more characters]", text[:i], rest)
		}
		count++
	}
	return text
}
