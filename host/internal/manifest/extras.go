package manifest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yosida95/uritemplate/v3"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/pluginkit"
)

// Most of each that a plugin may offer beside its tools, and the longest URI.
const (
	maxResources = 256
	maxTemplates = 32
	maxPrompts   = 256
	maxArguments = 32
	maxURI       = pluginkit.MaxURI
	maxVariables = 8
)

// Extras is what a plugin offers beside tools. A host calls each of them by its
// number, as it calls a tool; the numbers go on where those of the tools end, in
// the order of the fields here.
type Extras struct {
	Resources []Resource
	Templates []Resource
	Prompts   []Prompt
	// Completes says that the plugin completes arguments of prompts and
	// templates.
	Completes bool

	first int // the number of the first
}

// Resource is something to read, or a template of such things.
type Resource struct {
	// URI is an absolute URI, or a template of RFC 6570 that begins with one.
	URI                      string
	Name, Title, Description string
	// MIMEType is "" when the author does not say.
	MIMEType string
}

// Scheme is the scheme of the URI, in small letters.
func (r Resource) Scheme() string {
	scheme, _, _ := strings.Cut(r.URI, ":")
	return scheme
}

// Prompt is a text that a person can choose, with blanks to fill.
type Prompt struct {
	Name, Title, Description string
	Arguments                []PromptArgument
}

// PromptArgument is one blank.
type PromptArgument struct {
	Name, Title, Description string
	Required                 bool
}

// ReadResource is the number of a resource, and a Tool that checks as little as
// there is to check about it.
func (e Extras) ReadResource(i int) (int, *Tool) { return e.first + i, &Tool{Name: "resource"} }

// ReadTemplate is the number of a template.
func (e Extras) ReadTemplate(i int) (int, *Tool) {
	return e.first + len(e.Resources) + i, &Tool{Name: "resource"}
}

// GetPrompt is the number of a prompt.
func (e Extras) GetPrompt(i int) (int, *Tool) {
	return e.first + len(e.Resources) + len(e.Templates) + i, &Tool{Name: "prompt"}
}

// Complete is the number of the completion.
func (e Extras) Complete() (int, *Tool) {
	return e.first + len(e.Resources) + len(e.Templates) + len(e.Prompts), &Tool{Name: "completion"}
}

// Equal reports whether two plugins offer the same.
func (e Extras) Equal(f Extras) bool {
	return e.first == f.first && e.Completes == f.Completes &&
		slices.Equal(e.Resources, f.Resources) && slices.Equal(e.Templates, f.Templates) &&
		slices.EqualFunc(e.Prompts, f.Prompts, func(a, b Prompt) bool {
			return a.Name == b.Name && a.Title == b.Title && a.Description == b.Description && slices.Equal(a.Arguments, b.Arguments)
		})
}

type describedResource struct {
	URI         string `json:"uri"`
	Template    string `json:"uri_template"`
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	MIMEType    string `json:"mime_type"`
}

type describedPrompt struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Arguments   []struct {
		Name        string `json:"name"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Required    bool   `json:"required"`
	} `json:"arguments"`
}

// ParseExtras reads what a guest's manifest says beside its tools. It must be a
// manifest that Parse has taken.
func ParseExtras(b []byte, tools int) (Extras, error) {
	var doc struct {
		Resources   []describedResource `json:"resources"`
		Templates   []describedResource `json:"resource_templates"`
		Prompts     []describedPrompt   `json:"prompts"`
		Completions bool                `json:"completions"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return Extras{}, fmt.Errorf("the manifest is not the JSON that docs/guest-abi.md asks for: %s", printable.Line(err.Error(), 256))
	}
	for _, list := range []struct {
		what    string
		n, most int
	}{{"resources", len(doc.Resources), maxResources}, {"resource templates", len(doc.Templates), maxTemplates}, {"prompts", len(doc.Prompts), maxPrompts}} {
		if list.n > list.most {
			return Extras{}, fmt.Errorf("the manifest has %d %s (maximum %d)", list.n, list.what, list.most)
		}
	}
	e := Extras{Completes: doc.Completions, first: tools}
	seen := map[string]bool{}
	for i, d := range doc.Resources {
		r, err := d.resource(d.URI, checkURI)
		if err != nil {
			return Extras{}, fmt.Errorf("resource %d: %w", i, err)
		}
		if seen[r.URI] {
			return Extras{}, fmt.Errorf("two resources have the URI %q", r.URI)
		}
		seen[r.URI] = true
		e.Resources = append(e.Resources, r)
	}
	for i, d := range doc.Templates {
		r, err := d.resource(d.Template, checkTemplate)
		if err != nil {
			return Extras{}, fmt.Errorf("resource template %d: %w", i, err)
		}
		if seen[r.URI] {
			return Extras{}, fmt.Errorf("two resource templates are %q", r.URI)
		}
		seen[r.URI] = true
		e.Templates = append(e.Templates, r)
	}
	return e, e.addPrompts(doc.Prompts)
}

func (e *Extras) addPrompts(all []describedPrompt) error {
	seen := map[string]bool{}
	for i, d := range all {
		switch {
		case !toolName.MatchString(d.Name):
			return fmt.Errorf("prompt %d has the name %q (allowed: %s)", i, printable.Line(d.Name, 80), toolName)
		case seen[d.Name]:
			return fmt.Errorf("two prompts have the name %q", d.Name)
		case len(d.Description) > pluginkit.MaxDescription:
			return fmt.Errorf("the description of prompt %q has %d bytes (maximum %d)", d.Name, len(d.Description), pluginkit.MaxDescription)
		case len(d.Arguments) > maxArguments:
			return fmt.Errorf("prompt %q has %d arguments (maximum %d)", d.Name, len(d.Arguments), maxArguments)
		}
		seen[d.Name] = true
		p := Prompt{Name: d.Name, Title: printable.Line(d.Title, maxTitle), Description: printableText(d.Description)}
		names := map[string]bool{}
		for _, a := range d.Arguments {
			if !argumentName.MatchString(a.Name) || names[a.Name] {
				return fmt.Errorf("prompt %q has the argument %q twice, or it is not a name (allowed: %s)", d.Name, printable.Line(a.Name, 80), argumentName)
			}
			names[a.Name] = true
			p.Arguments = append(p.Arguments, PromptArgument{
				a.Name, printable.Line(a.Title, maxTitle), printable.Line(a.Description, pluginkit.MaxDescription), a.Required,
			})
		}
		e.Prompts = append(e.Prompts, p)
	}
	return nil
}

var argumentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,62}$`)

func (d describedResource) resource(uri string, check func(string) error) (Resource, error) {
	if err := check(uri); err != nil {
		return Resource{}, err
	}
	switch {
	case d.Name == "" || len(d.Name) > maxTitle:
		return Resource{}, fmt.Errorf("%s has a name of %d bytes (1 to %d are allowed)", uri, len(d.Name), maxTitle)
	case len(d.Description) > pluginkit.MaxDescription:
		return Resource{}, fmt.Errorf("the description of %s has %d bytes (maximum %d)", uri, len(d.Description), pluginkit.MaxDescription)
	case d.MIMEType != "" && !IsMIMEType(d.MIMEType):
		return Resource{}, fmt.Errorf("%s has the MIME type %q", uri, printable.Line(d.MIMEType, 80))
	}
	return Resource{
		URI: uri, Name: printable.Line(d.Name, maxTitle), Title: printable.Line(d.Title, maxTitle),
		Description: printableText(d.Description), MIMEType: d.MIMEType,
	}, nil
}

var mimeType = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9*][a-z0-9!#$&^_.+-]{0,62}(;\s?[a-z-]+=[A-Za-z0-9_.-]{1,40}){0,2}$`)

// IsMIMEType reports whether text is a media type in the plain form that
// everybody reads alike: small letters, at most two parameters without quotes.
func IsMIMEType(text string) bool { return mimeType.MatchString(text) }

// elsewhere are schemes whose URIs mean something outside of the plugin: a
// client may show them as the user's file or somebody's website, or fetch them
// itself.
var elsewhere = []string{"file", "http", "https", "ftp", "data", "blob", "javascript", "about", "mailto", "ws", "wss", "unix", "ssh", "git"}

var schemePart = regexp.MustCompile(`^([a-z][a-z0-9+.-]{0,30}):`)

func checkScheme(uri string) error {
	if len(uri) > maxURI {
		return fmt.Errorf("a URI of %d bytes (maximum %d)", len(uri), maxURI)
	}
	m := schemePart.FindStringSubmatch(uri)
	if m == nil {
		return fmt.Errorf("%q does not begin with a scheme in small letters", printable.Line(uri, 80))
	}
	if slices.Contains(elsewhere, m[1]) {
		return fmt.Errorf("%q has a scheme that is not the plugin's to give", printable.Line(uri, 80))
	}
	return nil
}

// CheckURI reports why a URI cannot be that of a plugin's resource.
func CheckURI(uri string) error { return checkURI(uri) }

func checkURI(uri string) error {
	if err := checkScheme(uri); err != nil {
		return err
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '{' || r == '}' }) {
		return fmt.Errorf("%q has characters that a URI does not have", printable.Line(uri, 80))
	}
	if _, err := url.Parse(uri); err != nil {
		return fmt.Errorf("%q is not a URI", printable.Line(uri, 80))
	}
	return nil
}

// checkTemplate wants plain variables only: clients and hosts should agree on
// what a template matches.
func checkTemplate(template string) error {
	if err := checkScheme(template); err != nil {
		return err
	}
	if strings.ContainsFunc(template, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("%q has characters that a URI does not have", printable.Line(template, 80))
	}
	t, err := uritemplate.New(template)
	if err != nil {
		return fmt.Errorf("%q is not a URI template", printable.Line(template, 80))
	}
	switch n := len(t.Varnames()); {
	case n == 0 || n > maxVariables:
		return fmt.Errorf("%q has %d variables (1 to %d are allowed)", printable.Line(template, 80), n, maxVariables)
	case !plainExpressions.MatchString(template):
		return fmt.Errorf("%q has an expression other than {name} or {+name}", printable.Line(template, 80))
	}
	return nil
}

var plainExpressions = regexp.MustCompile(`^[^{}]*(\{\+?[A-Za-z0-9_]+\}[^{}]*)+$`)
