package seccomp

import (
	"fmt"
	"strings"
)

// Markdown writes the table for people: a row for each rule.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| call | allowed | the rest | why |\n|---|---|---|---|\n")
	for _, r := range t.Rules {
		when, rest := r.Then.String(), ""
		if len(r.When) > 0 {
			var all []string
			for _, form := range r.When {
				all = append(all, form.String())
			}
			when, rest = strings.Join(all, " **or** "), r.Else.String()
			if r.Then != Allow {
				when, rest = "not "+when, r.Then.String() // the others are allowed
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Syscall, when, rest, r.Why)
	}
	fmt.Fprintf(&b, "| everything else | %s | | |\n", t.Default)
	return b.String()
}

// String writes a form as an expression over the arguments arg0 to arg5.
func (f Form) String() string {
	var all []string
	for _, c := range f {
		all = append(all, c.String())
	}
	return strings.Join(all, ", ")
}

// String writes a check as an expression.
func (c Check) String() string {
	left := fmt.Sprintf("arg%d", c.Arg)
	if c.Mask != ^uint32(0) {
		left += fmt.Sprintf(" & ~%#x", ^c.Mask)
	}
	var in []string
	for _, v := range c.In {
		in = append(in, fmt.Sprintf("%#x", v))
	}
	if len(in) == 1 {
		return left + " = " + in[0]
	}
	return left + " ∈ {" + strings.Join(in, ", ") + "}"
}
