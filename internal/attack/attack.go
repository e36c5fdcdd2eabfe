package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// A program that makes attacks in its main goroutine makes them on its first
// thread.
func init() { runtime.LockOSThread() }

// OK is what a successful attack says. Others say the name of an errno, or why
// they could not even begin.
const OK = "ok"

// World is what there is to attack, all of it the test's own.
type World struct {
	Host  int // process number of the host
	Other int // of another sandbox

	Secret string // path of a file that everybody may read
	Folder string // path of a folder that everybody may write to
	Self   string // path of a program that may be executed, as the attacker sees it
	Near   string // path of a file that the attacker's own root holds

	TCP, UDP      string // addresses that somebody listens on
	Path, Unnamed string // sockets that everybody may connect to: with a path, and abstract
	OtherSocket   string // path of another sandbox's socket

	// Descriptors that the attacker has inherited, 0 for none.
	Dir  int // of the host's root folder
	TTY  int // a terminal
	Ring int // a memfd
}

// Order is an attack to make, as it is sent to where it is made.
type Order struct {
	Name  string
	World World
}

// Encode writes an order.
func (o Order) Encode() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return b
}

// Perform reads an order, makes the attack, and says what came of it.
func Perform(order []byte) string {
	var o Order
	if err := json.Unmarshal(order, &o); err != nil {
		return fmt.Sprintf("bad-order: %v", err)
	}
	attack := attacks[o.Name]
	if attack == nil {
		return fmt.Sprintf("no attack %q", o.Name)
	}
	return attack(&o.World)
}

// Names lists the attacks.
func Names() []string { return slices.Sorted(maps.Keys(attacks)) }

var attacks = map[string]func(*World) string{}

func register(more map[string]func(*World) string) {
	for name, attack := range more {
		if attacks[name] != nil {
			panic("two attacks are called " + name)
		}
		attacks[name] = attack
	}
}
