package policies

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// injection is a credential block: how a secret goes into a request. Either
// header or query is set.
type injection struct {
	secret Secret
	header string // canonical name
	prefix string // what comes before the secret in the header
	user   string // with basic: the user name
	basic  bool
	query  string
}

// Credential is how to inject a secret into one decided request. It is bound
// to the scheme, host and port of the decision.
type Credential struct {
	*injection
	endpoint endpoint
}

// Secret is what Apply injects. Search responses for its value.
func (c *Credential) Secret() Secret { return c.injection.secret }

// SetsHeader reports whether Apply sets the header of this name, which the
// guest must then not set itself.
func (c *Credential) SetsHeader(name string) bool {
	return c.header != "" && strings.EqualFold(strings.TrimSpace(name), c.header)
}

// Apply puts the secret into the request, in place of whatever the guest put
// there. It refuses a request to anywhere but where the decision was about, so
// that a redirect or a rewritten Host cannot carry the secret away. Errors never
// have the secret in them.
func (c *Credential) Apply(r *http.Request) error {
	if err := c.checkDestination(r); err != nil {
		return err
	}
	value, err := c.secret.Reveal()
	if err != nil {
		return err
	}
	if c.query != "" {
		return c.applyQuery(r, value)
	}
	if c.basic {
		value = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+value))
	} else {
		value = c.prefix + value
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("secret %q cannot go into header %s: it has a line break or another control character", c.secret.name, c.header)
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for name := range r.Header {
		if c.SetsHeader(name) {
			delete(r.Header, name) // also a key that is not canonical
		}
	}
	r.Header[c.header] = []string{value}
	return nil
}

func (c *Credential) checkDestination(r *http.Request) error {
	if r.URL == nil {
		return fmt.Errorf("secret %q was decided for %s, the request goes nowhere", c.secret.name, c.endpoint)
	}
	if r.URL.Scheme != c.endpoint.scheme || r.URL.Host != c.endpoint.hostPort() || r.URL.User != nil || r.URL.Opaque != "" {
		return fmt.Errorf("secret %q was decided for %s, the request goes to %s", c.secret.name, c.endpoint, quote(r.URL.Scheme+"://"+r.URL.Host))
	}
	if r.Host != "" && r.Host != r.URL.Host && r.Host != hostHeader(r.URL) {
		return fmt.Errorf("secret %q was decided for %s, the request names the host %s", c.secret.name, c.endpoint, quote(r.Host))
	}
	return nil
}

func (c *Credential) applyQuery(r *http.Request, value string) error {
	if _, taken := c.collides(r.URL.RawQuery); taken {
		return fmt.Errorf("secret %q goes into the query parameter %s, which the request already has", c.secret.name, c.query)
	}
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += url.QueryEscape(c.query) + "=" + url.QueryEscape(value)
	return nil
}

// collides finds a parameter in a guest's query that a server could take for
// the credential's: servers differ on case, on ";" between parameters, on
// "name[]" and on which of two values wins.
func (i *injection) collides(query string) (string, bool) {
	if i.query == "" {
		return "", false
	}
	want := parameterName(i.query)
	for query != "" {
		end := strings.IndexAny(query, "&;")
		if end < 0 {
			end = len(query)
		}
		name, _, _ := strings.Cut(query[:end], "=")
		if name = unescape(strings.ReplaceAll(name, "+", " ")); parameterName(name) == want || hasEscape(name) {
			return name, true
		}
		query = query[min(end+1, len(query)):]
	}
	return "", false
}

// parameterName folds what servers fold: PHP turns dots and spaces into
// underscores, cuts at "[" and skips leading spaces.
func parameterName(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "[")
	return strings.NewReplacer(".", "_", " ", "_").Replace(strings.ToLower(s))
}

// forbiddenHeaders are those that decide where a request goes or how it is
// framed.
var forbiddenHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Upgrade": true,
	"Te": true, "Trailer": true, "Keep-Alive": true, "Proxy-Connection": true, "Expect": true,
}

func parseHeaderName(s string) (string, error) {
	if !httpguts.ValidHeaderFieldName(s) {
		return "", fmt.Errorf("%s is not the name of a header", quote(s))
	}
	name := textproto.CanonicalMIMEHeaderKey(s)
	if forbiddenHeaders[name] {
		return "", fmt.Errorf("header %s belongs to the connection and cannot carry a secret", name)
	}
	return name, nil
}

func parseQueryName(s string) error {
	if s == "" || len(s) > 128 {
		return errors.New("a parameter's name has 1 to 128 characters")
	}
	for i := 0; i < len(s); i++ {
		if !isUnreserved(s[i]) {
			return fmt.Errorf("%s cannot be the name of a parameter: letters, digits and -._~ are allowed", quote(s))
		}
	}
	return nil
}
