package guest

import (
	"errors"
	"io"
	"reflect"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Progress tells whoever waits for the call how far it is: done out of total, in
// any unit, and a line for people, which may be empty. A total of 0 means that
// nobody knows. Done must grow. It is dropped where nobody wants to know it.
func Progress(done, total float64, message string) {
	b, err := appendNumber([]byte(`{"done":`), done)
	if err == nil {
		b, err = appendNumber(append(b, `,"total":`...), total)
	}
	if err != nil {
		return // not a number: there is nothing to show
	}
	b = append(shape.AppendString(append(b, `,"message":`...), message), '}')
	if len(b) <= abi.MaxProgress {
		abi.Current().Progress(b)
	}
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

var floats, _ = shape.For(reflect.TypeFor[float64](), shape.Output)

func appendNumber(b []byte, f float64) ([]byte, error) { return floats.Append(b, reflect.ValueOf(f)) }

// Elicited is what a person did with a question.
type Elicited string

// A person answers, says no, or closes the question.
const (
	Accepted  Elicited = "accept"
	Declined  Elicited = "decline"
	Dismissed Elicited = "cancel"
)

// Elicit asks the person at the client that called this tool. T is a struct of
// strings, numbers, booleans and slices of strings: its tags are those of a
// tool's arguments, and the client shows them as a form. The value is filled when
// the person accepted.
//
// The policy must let the plugin ask (client { elicitation = true }), and the
// client must be able to; else the error is ErrDenied or ErrUnreachable. It is
// ErrTimeout when nobody answers in the time that the policy gives a question, by default
// five minutes. The call goes on while the person thinks, and so does its time, of which
// there is more by default where a plugin may ask ([Deadline] tells).
func Elicit[T any](message string) (value T, how Elicited, err error) {
	form, err := shape.For(reflect.TypeFor[T](), shape.Input)
	if err != nil {
		return value, "", errors.New("guest.Elicit: the type " + reflect.TypeFor[T]().String() + ": " + err.Error())
	}
	how, content, err := ElicitForm(message, string(form.Schema()))
	if err != nil || how != Accepted {
		return value, how, err
	}
	if err := form.Decode(content, reflect.ValueOf(&value).Elem()); err != nil {
		return value, how, errors.New("the answer to the question: " + err.Error())
	}
	return value, how, nil
}

// ElicitForm is Elicit with a schema of the author's own, and the answer as JSON.
func ElicitForm(message, schema string) (how Elicited, content []byte, err error) {
	const op = "ask the person"
	b := shape.AppendString([]byte(`{"message":`), message)
	b = append(append(append(b, `,"schema":`...), schema...), '}')
	answer, err := ask(op, abi.AskPerson, b)
	if err != nil {
		return "", nil, err
	}
	members, err := object(answer)
	if err != nil {
		return "", nil, &Error{Op: op, Text: err.Error(), kind: ErrHost}
	}
	action, _ := members["action"].(string)
	if action == string(Accepted) {
		if content, err = shape.Member(answer, "content"); err != nil {
			return "", nil, &Error{Op: op, Text: err.Error(), kind: ErrHost}
		}
	}
	return Elicited(action), content, nil
}

// SampleRequest is what a model is to answer.
type SampleRequest struct {
	// System says how the model is to behave; the client may leave it out.
	System string
	// Messages are what was said so far. There is at least one.
	Messages []Message
	// MaxTokens bounds the answer, as the policy does.
	MaxTokens int
}

// Sampled is a model's answer.
type Sampled struct {
	// Text is the answer, or "" when it is none of text.
	Text string
	// Model is the name of the model.
	Model string
	// StopReason is why it ended: "endTurn", "maxTokens" or others.
	StopReason string
}

// Sample has the model of the client that called this tool answer something. The
// person at the client may look at the question and at the answer, and change
// both.
//
// The policy must let the plugin do so (client { sampling = true }), and the
// client must be able to; else the error is ErrDenied or ErrUnreachable.
func Sample(request SampleRequest) (Sampled, error) {
	const op = "ask the model"
	b := appendMessages(nil, "", request.Messages)
	b = b[:len(b)-1] // open again
	b = shape.AppendString(append(b, `,"system":`...), request.System)
	b = append(appendInt(append(b, `,"max_tokens":`...), request.MaxTokens), '}')
	answer, err := ask(op, abi.AskModel, b)
	if err != nil {
		return Sampled{}, err
	}
	members, err := object(answer)
	if err != nil {
		return Sampled{}, &Error{Op: op, Text: err.Error(), kind: ErrHost}
	}
	text := func(name string) string { t, _ := members[name].(string); return t }
	return Sampled{text("text"), text("model"), text("stop_reason")}, nil
}

// ask asks whoever called and reads the answer.
func ask(op string, kind int32, request []byte) ([]byte, error) {
	if n := len(request); n > abi.MaxQuestion {
		return nil, &Error{Op: op, Text: "the question has " + strconv.Itoa(n) + " bytes (maximum " + strconv.Itoa(abi.MaxQuestion) + ")", kind: ErrLimit}
	}
	host := abi.Current()
	handle := host.Ask(kind, request)
	if handle <= 0 {
		return nil, hostError(host, op, handle)
	}
	answer := &body{host: host, op: op, handle: handle}
	defer answer.Close()
	return io.ReadAll(answer)
}
