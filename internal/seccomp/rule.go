package seccomp

import (
	"fmt"
	"slices"
)

// Action is the kernel's verdict on a call, in its own encoding
// (SECCOMP_RET_*). The zero value kills a single thread and is never used.
type Action uint32

// The verdicts, from the strictest to the mildest.
const (
	Kill   Action = 0x80000000 // SECCOMP_RET_KILL_PROCESS: SIGSYS, all threads
	refuse Action = 0x00050000 // SECCOMP_RET_ERRNO, with the errno in the low half
	Notify Action = 0x7fc00000 // SECCOMP_RET_USER_NOTIF: the listener decides
	Allow  Action = 0x7fff0000 // SECCOMP_RET_ALLOW
)

// Refuse answers a call with an errno, without making it.
func Refuse(errno Errno) Action { return refuse | Action(errno) }

// Errno is an error number of Linux, the same on all architectures here.
type Errno uint16

// The errnos that the tables answer with.
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2
	EAGAIN       Errno = 11
	EINVAL       Errno = 22
	ENOTTY       Errno = 25
	ENOSYS       Errno = 38
	EOPNOTSUPP   Errno = 95
	EAFNOSUPPORT Errno = 97
)

var errnoNames = map[Errno]string{
	EPERM: "EPERM", ENOENT: "ENOENT", EAGAIN: "EAGAIN", EINVAL: "EINVAL",
	ENOTTY: "ENOTTY", ENOSYS: "ENOSYS", EOPNOTSUPP: "EOPNOTSUPP", EAFNOSUPPORT: "EAFNOSUPPORT",
}

// Errno is what a refused call gets; ok is false for other verdicts.
func (a Action) Errno() (errno Errno, ok bool) {
	return Errno(a), a&0xffff0000 == refuse
}

// String names the verdict.
func (a Action) String() string {
	if e, ok := a.Errno(); ok {
		if name := errnoNames[e]; name != "" {
			return name
		}
		return fmt.Sprintf("errno %d", uint16(e))
	}
	switch a {
	case Kill:
		return "kill"
	case Notify:
		return "notify"
	case Allow:
		return "allow"
	}
	return fmt.Sprintf("action %#x", uint32(a))
}

// Strictest is what the kernel makes of the verdicts of several filters: it
// compares them as signed numbers and takes the least.
func Strictest(actions ...Action) Action {
	return slices.MinFunc(actions, func(a, b Action) int { return int(int32(a&0xffff0000)>>16) - int(int32(b&0xffff0000)>>16) })
}

// Rule is what becomes of one system call.
type Rule struct {
	Syscall string
	// When lists the allowed forms of the call. None means all of them.
	When []Form
	// Then is for calls of an allowed form, Else for the others.
	Then, Else Action
	// Why is one line: what needs the call, or what it would be used for.
	Why string
}

// Form is a conjunction: a call has the form when all its arguments check.
type Form []Check

// Check looks at one argument, numbered from 0: what Mask leaves of it must be
// one of In. A long argument must also be free of bits above the 32nd, which an
// int has none of as far as the kernel is concerned.
type Check struct {
	Arg  int
	Long bool
	Mask uint32
	In   []uint32
}

// Int checks an argument that the kernel reads as 32 bits.
func Int(arg int, in ...uint32) Check { return Check{Arg: arg, Mask: ^uint32(0), In: in} }

// Long checks an argument that the kernel reads as 64 bits.
func Long(arg int, in ...uint32) Check {
	return Check{Arg: arg, Long: true, Mask: ^uint32(0), In: in}
}

// Besides ignores some bits, which may be set or not.
func (c Check) Besides(bits uint32) Check {
	c.Mask &^= bits
	return c
}

func allow(syscall, why string) Rule { return Rule{Syscall: syscall, Then: Allow, Why: why} }

func answer(syscall string, errno Errno, why string) Rule {
	return Rule{Syscall: syscall, Then: Refuse(errno), Why: why}
}

func kill(syscall, why string) Rule { return Rule{Syscall: syscall, Then: Kill, Why: why} }

// forms allows some forms of a call; the others kill.
func forms(syscall, why string, when ...Form) Rule {
	return Rule{Syscall: syscall, When: when, Then: Allow, Else: Kill, Why: why}
}

// or gives the forms that are not allowed an errno instead of death.
func (r Rule) or(errno Errno) Rule {
	r.Else = Refuse(errno)
	return r
}

// looks lists the arguments that the forms check.
func (r Rule) looks() []int {
	var all []int
	for _, form := range r.When {
		for _, c := range form {
			all = append(all, c.Arg)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Table is a filter before it is assembled.
type Table struct {
	Rules []Rule
	// Default is for calls that have no rule.
	Default Action
}

// with adds rules to a table; the table itself stays as it is.
func (t Table) with(rules ...Rule) Table {
	t.Rules = append(slices.Clone(t.Rules), rules...)
	return t
}

// notifying is the table with every verdict of death put to the listener.
func (t Table) notifying() Table {
	t.Rules = slices.Clone(t.Rules)
	for i, r := range t.Rules {
		t.Rules[i].Then, t.Rules[i].Else = notifyNotKill(r.Then), notifyNotKill(r.Else)
	}
	t.Default = notifyNotKill(t.Default)
	return t
}

func notifyNotKill(a Action) Action {
	if a == Kill {
		return Notify
	}
	return a
}

// check finds what would be a mistake in any table.
func (t Table) check() error {
	seen := map[string]bool{}
	for _, r := range t.Rules {
		switch {
		case !known(r.Syscall):
			return fmt.Errorf("rule for %q: no such system call", r.Syscall)
		case seen[r.Syscall]:
			return fmt.Errorf("rule for %s: there is one already", r.Syscall)
		case r.Then == 0 || len(r.When) > 0 && r.Else == 0:
			return fmt.Errorf("rule for %s: no verdict", r.Syscall)
		case r.Why == "":
			return fmt.Errorf("rule for %s: no reason", r.Syscall)
		}
		seen[r.Syscall] = true
		for _, form := range r.When {
			if len(form) == 0 {
				return fmt.Errorf("rule for %s: a form that checks nothing", r.Syscall)
			}
			for _, c := range form {
				if err := c.check(); err != nil {
					return fmt.Errorf("rule for %s: %w", r.Syscall, err)
				}
			}
		}
	}
	if t.Default == 0 {
		return fmt.Errorf("a table without a default")
	}
	return nil
}

func (c Check) check() error {
	if c.Arg < 0 || c.Arg > 5 {
		return fmt.Errorf("argument %d (0 to 5)", c.Arg)
	}
	if len(c.In) == 0 {
		return fmt.Errorf("argument %d: no value is allowed", c.Arg)
	}
	for _, v := range c.In {
		if v&^c.Mask != 0 {
			return fmt.Errorf("argument %d: %#x can never be, under the mask %#x", c.Arg, v, c.Mask)
		}
	}
	return nil
}
