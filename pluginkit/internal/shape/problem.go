package shape

import "strings"

// Problem is what is wrong with a value, and where: the path is that of the
// field inside the arguments or the result, empty for the whole value.
type Problem struct {
	path []string // innermost step first
	text string
}

func (p *Problem) Error() string {
	if len(p.path) == 0 {
		return p.text
	}
	steps := make([]string, len(p.path))
	for i, step := range p.path {
		steps[len(steps)-1-i] = step
	}
	return joinPath(steps) + ": " + p.text
}

// under adds a step to the path of a problem found further in. Other errors
// become problems at that place.
func under(step string, err error) error {
	if p, ok := err.(*Problem); ok {
		p.path = append(p.path, step)
		return p
	}
	return &Problem{path: []string{step}, text: err.Error()}
}

func problem(text string) error { return &Problem{text: text} }

// joinPath writes ["labels", "[2]", "name"] as labels[2].name.
func joinPath(steps []string) string {
	var b strings.Builder
	for i, step := range steps {
		if i > 0 && !strings.HasPrefix(step, "[") {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}
