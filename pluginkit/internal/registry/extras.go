package registry

import (
	"errors"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
)

// Extra is a resource, a template or a prompt.
type Extra struct {
	// Key is its URI, template or name.
	Key string
	// JSON is what the manifest says of it.
	JSON []byte
	Run  func(arguments []byte) (status uint32, result []byte)
}

// offered is what a guest offers beside tools, in the order of its numbers.
type offered struct {
	resources, templates, prompts []Extra
	complete                      func(arguments []byte) (uint32, []byte)
}

var extras offered

// Most of each, as docs/guest-abi.md says.
const (
	maxResources = 256
	maxTemplates = 32
	maxPrompts   = 256
)

// AddResource appends a resource.
func AddResource(e Extra) error { return add(&extras.resources, e, maxResources) }

// AddTemplate appends a template of resources.
func AddTemplate(e Extra) error { return add(&extras.templates, e, maxTemplates) }

// AddPrompt appends a prompt.
func AddPrompt(e Extra) error {
	if !validName(e.Key) {
		return errors.New("a name is a small letter and up to 62 small letters, digits, _ or -")
	}
	return add(&extras.prompts, e, maxPrompts)
}

// SetComplete takes what completes arguments.
func SetComplete(run func([]byte) (uint32, []byte)) error {
	if extras.complete != nil {
		return errors.New("there already is one")
	}
	extras.complete = run
	return nil
}

func add(to *[]Extra, e Extra, most int) error {
	if e.Key == "" {
		return errors.New("it has no URI or name")
	}
	for _, other := range *to {
		if other.Key == e.Key {
			return errors.New("there already is one of " + e.Key)
		}
	}
	if len(*to) == most {
		return errors.New("there are too many")
	}
	*to = append(*to, e)
	if size := len(Manifest()); size > abi.MaxManifest {
		*to = (*to)[:len(*to)-1]
		return tooLarge("the manifest with this", size, abi.MaxManifest)
	}
	return nil
}

func (o offered) appendJSON(b []byte) []byte {
	for _, list := range []struct {
		name string
		all  []Extra
	}{{"resources", o.resources}, {"resource_templates", o.templates}, {"prompts", o.prompts}} {
		if len(list.all) == 0 {
			continue
		}
		b = append(append(append(b, `,"`...), list.name...), `":[`...)
		for i, e := range list.all {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, e.JSON...)
		}
		b = append(b, ']')
	}
	if o.complete != nil {
		b = append(b, `,"completions":true`...)
	}
	return b
}

// at is what has a number, counted from the end of the tools, or nil.
func (o offered) at(number uint64) func([]byte) (uint32, []byte) {
	for _, list := range [][]Extra{o.resources, o.templates, o.prompts} {
		if number < uint64(len(list)) {
			return list[number].Run
		}
		number -= uint64(len(list))
	}
	if number == 0 {
		return o.complete
	}
	return nil
}

// Find returns the number of an extra of that list ("resource", "template",
// "prompt", "completion") and key, for tests.
func Find(list, key string) (number uint32, ok bool) {
	at := len(tools)
	for _, l := range []struct {
		name string
		all  []Extra
	}{{"resource", extras.resources}, {"template", extras.templates}, {"prompt", extras.prompts}} {
		for i, e := range l.all {
			if l.name == list && e.Key == key {
				return uint32(at + i), true
			}
		}
		at += len(l.all)
	}
	return uint32(at), list == "completion" && extras.complete != nil
}
