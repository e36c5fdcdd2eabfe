package wire

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

var update = flag.Bool("update", false, "write the golden files")

// examples holds one message of each kind with every field set. Their encodings
// are the protocol: a difference here breaks peers that are already out there.
var examples = map[string]proto.Message{
	"offer": &Offer{Build: "test", Transports: []string{"grpc", "ring"}, Engines: []string{"wasmer"}, GuestAbis: []uint32{1},
		LayoutVersions: []uint32{1}, PageSize: 4096, MaxRingBytes: 4 << 20, MaxLanes: 2, Windows: true, TypedMessages: true},
	"terms": &Terms{Transport: "grpc", Engine: "wasmer", GuestAbi: 1, LayoutVersion: 1, RingBytes: 4 << 20, Lanes: 2, Windows: true},
	"terms_ring": &Terms{Transport: "ring", Engine: "wasmer", GuestAbi: 1, LayoutVersion: 1, RingBytes: 4 << 20, Lanes: 2,
		CapabilityRingBytes: 1 << 20, MessageTimeoutMs: 5000},
	"compile_request":  &CompileRequest{Engine: "wasmer", ModuleBytes: 1, MaxArtifactBytes: 2, MaxMemoryBytes: 3},
	"compile_progress": &CompileChunk{Kind: &CompileChunk_Progress{Progress: &CompileProgress{Phase: "compiling"}}},
	"compile_data":     &CompileChunk{Kind: &CompileChunk_Data{Data: []byte("code")}},
	"compile_failure":  &CompileChunk{Kind: &CompileChunk_Failure{Failure: &Failure{Kind: FailureKind_FAILURE_MODULE, Message: "no"}}},
	"load_request": &LoadRequest{Engine: "wasmer", ArtifactBytes: 1, GuestMemoryBytes: 2, Lifetime: Lifetime_LIFETIME_SESSION,
		Environment: []*Variable{{Name: "LANG", Value: "C"}}, SessionIdleMs: 3},
	"load_response":      &LoadResponse{Manifest: []byte(`{"tools":[]}`), Failure: &Failure{Kind: FailureKind_FAILURE_ABI, Message: "no"}},
	"call_start":         &HostFrame{Kind: &HostFrame_Start{Start: &CallStart{Tool: 1, ArgumentsBytes: 2, TimeoutMs: 3}}},
	"call_start_limited": &HostFrame{Kind: &HostFrame_Start{Start: &CallStart{Tool: 1, ArgumentsBytes: 2, TimeoutMs: 3, MaxResultBytes: 4}}},
	"call_arguments":     &HostFrame{Kind: &HostFrame_Arguments{Arguments: []byte("{}")}},
	"call_cancel":        &HostFrame{Kind: &HostFrame_Cancel{Cancel: &Cancel{}}},
	"capability_reply": &HostFrame{Kind: &HostFrame_Reply{Reply: &CapabilityReply{Id: 1, Code: Code_CODE_DENIED, Message: "no", Handle: 2,
		Status: 200, Headers: []*Header{{Name: "A", Value: "b"}}, BodyBytes: 3, Data: []byte("x"), Exists: true}}},
	"request_http": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1, Op: &CapabilityRequest_Http{Http: &HttpRequest{
		Method: "GET", Url: "https://example.com/", Headers: []*Header{{Name: "A", Value: "b"}}, Body: []byte("x")}}}}},
	"request_read": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_BodyRead{BodyRead: &BodyRead{Handle: 1, Offset: 2, Length: 3}}}}},
	"request_close": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_BodyClose{BodyClose: &BodyClose{Handle: 1}}}}},
	"request_secret": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_SecretExists{SecretExists: &SecretExists{Name: "github"}}}}},
	"request_progress": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_Progress{Progress: &Progress{Done: 1.5, Total: 2, Message: "half"}}}}},
	"request_ask": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_Ask{Ask: &Ask{Kind: AskKind_ASK_SAMPLING, Request: []byte("{}")}}}}},
	"request_updated": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_ResourceUpdated{ResourceUpdated: &ResourceUpdated{Uri: "notes://today"}}}}},
	"request_files": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1, Op: &CapabilityRequest_Files{Files: &Files{
		Operation: FileOperation_FILE_STAGE, Workspace: "notes", Path: "a.md", To: "b.md", Offset: 1, Length: 2, After: "c", Data: []byte("x"),
		Staged: 3, Absent: true, Version: "v"}}}}},
	"request_state": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1, Op: &CapabilityRequest_State{State: &State{
		Operation: StateOperation_STATE_LIST, Key: "k", Value: []byte("x"), Absent: true, Version: "v", After: "a", Length: 1}}}}},
	"request_invoke": &SandboxFrame{Kind: &SandboxFrame_Request{Request: &CapabilityRequest{Id: 1,
		Op: &CapabilityRequest_Invoke{Invoke: &Invoke{Alias: "lookup", Arguments: []byte("{}")}}}}},
	"reply_entries": &HostFrame{Kind: &HostFrame_Reply{Reply: &CapabilityReply{Id: 1, Code: Code_CODE_CHANGED, More: true,
		Entries: []*Entry{{Name: "a.md", Folder: true, Size: 1, ModifiedNs: 2, Version: "v"}}}}},
	"reply_unsized": &HostFrame{Kind: &HostFrame_Reply{Reply: &CapabilityReply{Id: 1, Handle: 2, Status: 200, Unsized: true}}},
	"log":           &SandboxFrame{Kind: &SandboxFrame_Log{Log: &LogRecord{Level: 2, Message: "careful"}}},
	"result":        &SandboxFrame{Kind: &SandboxFrame_Result{Result: &ResultHead{Status: 1, ResultBytes: 2}}},
	"data":          &SandboxFrame{Kind: &SandboxFrame_Data{Data: []byte("x")}},
	"failure":       &SandboxFrame{Kind: &SandboxFrame_Failure{Failure: &Failure{Kind: FailureKind_FAILURE_TRAP, Message: "unreachable"}}},
}

func TestTheWireFormHasNotChanged(t *testing.T) {
	for name, message := range examples {
		t.Run(name, func(t *testing.T) {
			got, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("the wire form of %s changed:\n got %x\nwant %x", prototext.Format(message), got, want)
			}
			back := message.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(want, back); err != nil || !proto.Equal(back, message) {
				t.Fatalf("an older peer's message is read as %s (%v)", prototext.Format(back), err)
			}
		})
	}
}
