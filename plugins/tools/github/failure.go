package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// now is the clock; tests replace it.
var now = time.Now

// apiError is the body of an answer that is an error.
type apiError struct {
	Message string            `json:"message"`
	Errors  []json.RawMessage `json:"errors"`
}

// failure turns an answer that is not 200 into words for an assistant: what
// happened, and what can be done about it.
func failure(what string, response *guest.Response) error {
	said := read(response)
	if said == "" {
		said = "no reason given"
	}
	status := response.Status
	if wait := limited(response, said); wait != "" {
		return fmt.Errorf("%s: GitHub's rate limit is used up (%d: %s). %s%s", what, status, said, wait, missing())
	}
	var advice string
	switch status {
	case 301, 302, 307, 308:
		advice = "It has moved, and GitHub did not say where."
	case 401:
		advice = "GitHub does not accept the token that the host sent: it is wrong, expired or revoked. Only the operator can replace it."
	case 403:
		advice = "The token may not do this. Its owner has to grant it access to the repository."
		if sso := response.Header.Get("X-Github-Sso"); sso != "" {
			advice = "The organisation demands single sign-on for this token: " + sso + "."
		}
		if strings.Contains(said, "too_large") {
			return fmt.Errorf("%s: It is larger than the API hands out (100 MB). (%d: %s)", what, status, said)
		}
	case 404:
		advice = "It does not exist, or the token may not see it. Check the spelling of the arguments."
	case 410:
		advice = "It is gone for good: deleted, or the feature is turned off for this repository."
	case 422:
		advice = "GitHub does not take these arguments. Change them as it says."
	default:
		advice = "This was not expected."
		if status >= 500 {
			advice = "GitHub itself has trouble. Try again in a minute."
		}
	}
	if status == 403 || status == 404 {
		advice += missing()
	}
	err := fmt.Errorf("%s: %s (%d: %s)", what, advice, status, said)
	if status == 422 {
		return guest.InvalidArgs(err)
	}
	return err
}

// read returns what an answer says about its failure, in a few words.
func read(response *guest.Response) string {
	body, err := response.ReadAll(64 << 10)
	if err != nil {
		return err.Error()
	}
	var e apiError
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return cut(strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "\ufffd")), " "), 200)
	}
	said := []string{strings.TrimSuffix(e.Message, ".")}
	for _, raw := range e.Errors {
		said = append(said, detail(raw))
	}
	return cut(strings.Join(said, "; "), 1000)
}

// detail reads one entry of a 422's errors: an object or a text.
func detail(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var e struct{ Resource, Field, Code, Message string }
	if json.Unmarshal(raw, &e) != nil {
		return string(raw)
	}
	if e.Message != "" {
		return e.Message
	}
	return strings.TrimSpace(e.Resource + " " + e.Field + ": " + e.Code)
}

// limited says how long to wait when an answer is about GitHub's rate limits,
// else "".
func limited(response *guest.Response, said string) string {
	if response.Status != 403 && response.Status != 429 {
		return ""
	}
	// The secondary limits, against bursts, come with seconds to wait.
	if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		return fmt.Sprintf("Wait %s, then ask less often.", time.Duration(after)*time.Second)
	}
	if response.Header.Get("X-Ratelimit-Remaining") == "0" {
		reset, err := strconv.ParseInt(response.Header.Get("X-Ratelimit-Reset"), 10, 64)
		if err != nil {
			return "Try again within the hour."
		}
		at := time.Unix(reset, 0).UTC()
		wait := max(at.Sub(now()).Round(time.Second), 0)
		return fmt.Sprintf("It is renewed at %s, in %s.", at.Format(time.RFC3339), wait)
	}
	if response.Status == 429 || strings.Contains(said, "rate limit") {
		return "Wait at least a minute, then ask less often."
	}
	return ""
}

// missing hints at the absence of a token, if that is the case.
func missing() string {
	name := cmp.Or(os.Getenv("GITHUB_SECRET"), "github")
	exists, err := guest.SecretExists(name)
	if err != nil || exists {
		return ""
	}
	return fmt.Sprintf(" The request went without a token, since the policy grants none named %q:"+
		" only public data can be read, and only 60 times an hour.", name)
}
