// Package shape turns a Go type into everything a tool needs to know about its
// JSON: the schema that a caller sees, the decoder of its arguments, and the
// encoder of its results.
//
// All three are read from one description of the type, so what the schema
// promises is what the decoder accepts and the encoder writes. Three rules
// differ from encoding/json on purpose:
//
//   - a decoder refuses unknown, missing and repeated fields, and names the field;
//   - a nil slice is [] and a nil map is {}, since the schema says array and object;
//   - a nil pointer field is left out, and null is not a value of an optional field.
//
// The package exists for size: an empty guest that uses encoding/json has
// 3.2 MB, a tool that does nothing must stay under 3, and this leaves it at 2.7. Do
// not import fmt, os, time or context here: each costs 0.3 to 0.5 MB.
package shape
