package guest

import (
	"reflect"

	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Bytes is JSON that is neither copied nor looked at on its way.
//
// As the arguments of a tool it is what the host wrote, where the host wrote it:
// with lifetime = "session", that may be memory which this module shares with the
// host and cannot write to. It is valid until the tool returns. Whoever keeps any
// of it copies it; whoever writes to it ends the instance with a trap. The host
// has checked that it is a JSON object.
//
// As the result of a tool it goes to the host as it is, and must not be written
// to after the tool has returned, until the next call. Appended to [Room], it is
// written where the host reads it, and copied nowhere in between.
type Bytes []byte

// Room is where the result of the running call can be written in place: an empty
// slice, with the capacity that there is, often 0. Appending beyond it moves the
// bytes elsewhere, as append does, and costs a copy. It belongs to the running
// call, and what is in it is not zero.
func Room() []byte { return resultRoom }

// resultRoom is the room of the running call. There is one call at a time.
var resultRoom []byte

var bytesType = reflect.TypeFor[Bytes]()

// shaped is the type whose JSON form a type has.
func shaped(t reflect.Type) reflect.Type {
	if t == bytesType {
		return reflect.TypeFor[shape.Raw]()
	}
	return t
}
