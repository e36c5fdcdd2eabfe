package broker

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host/internal/content"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// asker is a broker under a policy whose client block is given, and whoever
// called.
func asker(t *testing.T, block string, caller Caller) (*Session, *recorder) {
	t.Helper()
	p, err := policies.Parse("test.hcl", []byte("plugin \"p\" {\n source = \"p.wasm\"\n"+block+"\n}"), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plugin, _ := p.Plugin("p")
	log := &recorder{}
	b := New(Config{Plugin: "p", Client: plugin.Client(), Audit: log, RunDir: t.TempDir()})
	s := b.CallFor(context.Background(), "c", caller)
	t.Cleanup(func() {
		s.Close()
		b.Close()
		if b.quota.memory != b.limits.Memory || s.reserved != 0 {
			t.Errorf("an answer is left: %d bytes free, %d reserved", b.quota.memory, s.reserved)
		}
	})
	return s, log
}

func ask(s *Session, kind wire.AskKind, request string) *wire.CapabilityReply {
	return s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Ask{Ask: &wire.Ask{Kind: kind, Request: []byte(request)}}})
}

const (
	granted  = "client {\n elicitation = true\n sampling = true\n rate = \"3/h\"\n}"
	question = `{"message":"who?","schema":{"type":"object"}}`
	sampling = `{"messages":[{"role":"user","content":{"type":"text","text":"x"}}],"max_tokens":1}`
)

func TestQuestionsThatAreNotPut(t *testing.T) {
	person, model := wire.AskKind_ASK_ELICITATION, wire.AskKind_ASK_SAMPLING
	for name, tt := range map[string]struct {
		block, request string
		kind           wire.AskKind
		want           wire.Code
	}{
		"no grant":                {"", question, person, wire.Code_CODE_DENIED},
		"a grant for the other":   {"client {\n sampling = true\n}", question, person, wire.Code_CODE_DENIED},
		"a grant for the first":   {"client {\n elicitation = true\n}", sampling, model, wire.Code_CODE_DENIED},
		"an unknown kind":         {granted, question, 9, wire.Code_CODE_INVALID},
		"no kind":                 {granted, question, 0, wire.Code_CODE_INVALID},
		"no JSON":                 {granted, `{`, person, wire.Code_CODE_INVALID},
		"a form of anything":      {granted, `{"message":"m","schema":{"type":"array"}}`, person, wire.Code_CODE_INVALID},
		"a question without end":  {granted, `{"message":"` + strings.Repeat("x", 70_000) + `"}`, person, wire.Code_CODE_LIMIT},
		"the conversation's text": {granted, `{"messages":[],"max_tokens":1,"includeContext":"allServers"}`, model, wire.Code_CODE_INVALID},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := asker(t, tt.block, Caller{
				Elicit: func(context.Context, content.Form) (content.FormAnswer, error) {
					t.Error("the person was asked")
					return content.FormAnswer{}, nil
				},
				Sample: func(context.Context, content.Sampling) (content.Sampled, error) {
					t.Error("the model was asked")
					return content.Sampled{}, nil
				},
			})
			if r := ask(s, tt.kind, tt.request); r.GetCode() != tt.want || r.GetHandle() != 0 {
				t.Errorf("got %v, want %v", r, tt.want)
			}
			if log.summary() != "ask deny" || len(s.Denials()) != 1 {
				t.Errorf("on record is %q", log.summary())
			}
		})
	}
}

func TestAnswersAreReadByHandle(t *testing.T) {
	s, log := asker(t, granted, Caller{Elicit: func(context.Context, content.Form) (content.FormAnswer, error) {
		return content.FormAnswer{Action: "decline"}, nil
	}})
	r := ask(s, wire.AskKind_ASK_ELICITATION, question)
	read := s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: r.GetHandle(), Length: 1000}}})
	if string(read.GetData()) != `{"action":"decline"}` || r.GetBodyBytes() != uint64(len(read.GetData())) {
		t.Errorf("the answer is %s of %d bytes", read.GetData(), r.GetBodyBytes())
	}
	if r := ask(s, wire.AskKind_ASK_SAMPLING, sampling); r.GetCode() != wire.Code_CODE_UNAVAILABLE {
		t.Errorf("without a model: %v", r)
	}
	ask(s, wire.AskKind_ASK_ELICITATION, question)
	if r := ask(s, wire.AskKind_ASK_ELICITATION, question); r.GetCode() != wire.Code_CODE_LIMIT {
		t.Errorf("the fourth question of three: %v", r)
	}
	if got := log.summary(); got != "ask allow, answer allow, ask allow, ask error, ask allow, answer allow, ask deny" {
		t.Errorf("on record is %q", got)
	}
}

func TestAnswersThatDoNotCome(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want wire.Code
	}{
		"the call ends":    {context.Canceled, wire.Code_CODE_CANCELED},
		"its time ends":    {context.DeadlineExceeded, wire.Code_CODE_TIMEOUT},
		"nobody can":       {ErrNobody, wire.Code_CODE_UNAVAILABLE},
		"the client fails": {errors.New("a\x1b[2Jb"), wire.Code_CODE_UNAVAILABLE},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := asker(t, granted, Caller{Elicit: func(context.Context, content.Form) (content.FormAnswer, error) {
				return content.FormAnswer{}, tt.err
			}})
			if r := ask(s, wire.AskKind_ASK_ELICITATION, question); r.GetCode() != tt.want || strings.Contains(r.GetMessage(), "\x1b") {
				t.Errorf("got %v, want %v", r, tt.want)
			}
		})
	}
}

// A question has a time of its own, and the call goes on when it is over.
func TestAQuestionThatNobodyAnswersEnds(t *testing.T) {
	s, log := asker(t, strings.Replace(granted, "{", "{\n timeout = \"1s\"", 1), Caller{
		Elicit: func(ctx context.Context, _ content.Form) (content.FormAnswer, error) {
			<-ctx.Done()
			return content.FormAnswer{}, ctx.Err()
		},
		Sample: func(context.Context, content.Sampling) (content.Sampled, error) {
			return content.Sampled{Text: "4"}, nil
		},
	})
	want(t, ask(s, wire.AskKind_ASK_ELICITATION, question), wire.Code_CODE_TIMEOUT, "nobody answered in 1s")
	if got := log.summary(); got != "ask allow, ask error" {
		t.Errorf("on record is %q", got)
	}
	if r := s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: &wire.Progress{}}}); r.GetCode() != wire.Code_CODE_OK {
		t.Errorf("afterwards: %v", r)
	}
}

func TestNothingIsAskedThatIsNotOnRecord(t *testing.T) {
	s, log := asker(t, granted, Caller{Elicit: func(context.Context, content.Form) (content.FormAnswer, error) {
		t.Error("the person was asked")
		return content.FormAnswer{}, nil
	}})
	log.fail = errors.New("disk full")
	if r := ask(s, wire.AskKind_ASK_ELICITATION, question); r.GetCode() != wire.Code_CODE_INTERNAL {
		t.Errorf("got %v", r)
	}
}

func TestProgressThatIsNone(t *testing.T) {
	var heard []float64
	s, _ := asker(t, "", Caller{Progress: func(done, _ float64, message string) {
		heard = append(heard, done)
		if strings.Contains(message, "\x1b") {
			t.Errorf("the message is %q", message)
		}
	}})
	for _, done := range []float64{1, math.NaN(), math.Inf(1), -1, 2} {
		s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: &wire.Progress{Done: done, Message: "\x1b"}}})
	}
	if len(heard) != 2 || heard[1] != 2 {
		t.Errorf("heard %v", heard)
	}
	reply := s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_ResourceUpdated{ResourceUpdated: &wire.ResourceUpdated{Uri: "file:///etc/passwd"}}})
	if reply.GetCode() != wire.Code_CODE_INVALID {
		t.Errorf("a file has changed: %v", reply)
	}
}
