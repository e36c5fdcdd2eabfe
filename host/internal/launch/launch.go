package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
)

// DefaultStartTimeout is how long a sandbox may take from exec to its first
// answer when Spec.StartTimeout is 0.
const DefaultStartTimeout = 10 * time.Second

// defaultProcs is GOMAXPROCS of a sandbox whose Spec.Env does not set it. It
// has to be set to something: a Go program without it re-reads its cgroup quota
// from a file now and then, which a jail answers by killing it.
const defaultProcs = 2

// Spec describes one sandbox process.
type Spec struct {
	// Name stands for the process in logs and errors.
	Name string
	// Path is the executable: a staged copy, which nobody else can change.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Env is added to the few variables that the handshake needs. Nothing is
	// inherited from the host.
	Env []string
	// Files are the descriptors that the process gets beside 0, 1 and 2, by
	// their number there. All others are closed. The caller keeps its own.
	Files map[int]*os.File
	// Channel makes a socket between the host and the process, which the process
	// gets as descriptor pluginkit.ChannelFD. A process that closes it is killed.
	Channel bool
	// Jail confines the process, in the folder of Path as its root. nil starts
	// it unconfined, which is for tests of what this package does by itself.
	Jail *jail.Jail
	// Ready has a process of this jail's at hand, and makes another one for the
	// next start. nil forks one now.
	Ready *Ready
	// Loader is the path of the program's ELF interpreter, "" for a static one.
	// It and the libraries lie in the jail's root too.
	Loader string
	// Seccomp names the filter that the jail installs before it executes the
	// program: "native" for a third party's. "" is for a program that installs
	// its own, stage by stage, which is for our own programs only.
	Seccomp string
	// Notices asks for a filter that the host can listen to: a call that would kill
	// the process is put to the host first, which kills it and can say which call it
	// was. A process that installs its filter by itself finds seccomp.NoticeEnv in
	// its environment and uses Profile.InstallForHost; the trampoline is told.
	Notices bool
	// Workspaces are folders of the machine's that the jail shows to the process.
	Workspaces []jail.Workspace
	// Memory (bytes), Processes and CPUs are what a control group allows, where
	// the jail has one. 0 leaves memory and processors unlimited, and processes
	// to the jail.
	Memory    uint64
	Processes int
	CPUs      int
	// Dir is where the private folder for the socket is made.
	Dir *rundir.Dir
	// StartTimeout bounds Start; 0 means DefaultStartTimeout.
	StartTimeout time.Duration
	// Logger gets what the process prints, bounded and escaped; nil drops it.
	Logger hclog.Logger
	// Stderr, if set, gets each line that the process prints on its standard
	// error, escaped, at most 8 KiB each and within the log's rate. It is
	// never called twice at once and must not block.
	Stderr func(line string)
}

// reserved are the variables that the launch sets itself.
var reserved = map[string]bool{
	"PLUGIN_MIN_PORT": true, "PLUGIN_MAX_PORT": true, "PLUGIN_PROTOCOL_VERSIONS": true,
	"PLUGIN_UNIX_SOCKET_DIR": true, "PLUGIN_UNIX_SOCKET_GROUP": true,
	"PLUGIN_CLIENT_CERT": true, "PLUGIN_MULTIPLEX_GRPC": true, seccomp.NoticeEnv: true,
}

func (s *Spec) check() error {
	switch {
	case s.Dir == nil:
		return errors.New("no run folder given")
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("executable %q: want an absolute path", s.Path)
	case s.Seccomp != "" && s.Jail == nil:
		return fmt.Errorf("filter %q: it is the jail's to install, and there is none", s.Seccomp)
	case s.Notices && s.Files[seccomp.NoticeFD] != nil:
		return fmt.Errorf("file for descriptor %d: it is for the notices of the filter", seccomp.NoticeFD)
	case len(s.Workspaces) > 0 && s.Jail == nil:
		return errors.New("workspaces: they are the jail's to show, and there is none")
	case s.StartTimeout < 0:
		return fmt.Errorf("start timeout %v: want 0 or more", s.StartTimeout)
	}
	if s.Channel && s.Files[pluginkit.ChannelFD] != nil {
		return fmt.Errorf("file for descriptor %d: that is the channel's", pluginkit.ChannelFD)
	}
	for fd, f := range s.Files {
		if fd < 3 || fd > 63 || f == nil {
			return fmt.Errorf("file for descriptor %d: want an open file and a number from 3 to 63", fd)
		}
	}
	for _, v := range s.Env {
		name, _, ok := strings.Cut(v, "=")
		if !ok || name == "" || strings.ContainsRune(v, 0) {
			return fmt.Errorf("environment variable %q: want NAME=value", clip(quote(v), 64))
		}
		if reserved[name] {
			return fmt.Errorf("environment variable %s: set by the launch itself", name)
		}
	}
	return nil
}

// environment is what the process sees: the handshake's own variables, taken
// by name from what go-plugin prepared, and those of the Spec.
func (s *Spec) environment(prepared []string, cookie string) []string {
	keep := map[string]bool{
		cookie: true, "PLUGIN_MIN_PORT": true, "PLUGIN_MAX_PORT": true, "PLUGIN_PROTOCOL_VERSIONS": true,
	}
	var env []string
	for _, v := range prepared {
		if name, _, _ := strings.Cut(v, "="); keep[name] {
			env = append(env, v)
		}
	}
	// The working folder is the socket folder, so socket paths stay short and
	// mean the same inside a jail that has made the folder its root.
	env = append(env, "PLUGIN_UNIX_SOCKET_DIR=.")
	env = append(env, s.Env...)
	for _, v := range s.Env {
		if strings.HasPrefix(v, "GOMAXPROCS=") {
			return env
		}
	}
	return append(env, fmt.Sprintf("GOMAXPROCS=%d", defaultProcs))
}

// numbers returns the descriptor numbers of Files in order.
func (s *Spec) numbers() []int {
	n := make([]int, 0, len(s.Files))
	for fd := range s.Files {
		n = append(n, fd)
	}
	sort.Ints(n)
	return n
}

// Exit says how a sandbox process ended.
type Exit struct {
	// Code is the exit code, or -1 if a signal ended the process.
	Code int
	// Signal ended the process, or 0.
	Signal syscall.Signal
	// Killed tells that this host sent the signal.
	Killed bool
	// Cause is why the host sent it on its own account, ErrMemoryLimit or a
	// *SyscallError if the kernel did, or nil.
	Cause error
	// CPU is the processor time that the process used.
	CPU time.Duration
	// Stderr holds its last words: the head of a crash report if there was
	// one, else its last lines; escaped, at most 16 lines of 512 bytes.
	Stderr []string
	// Discarded counts bytes that it printed and nobody kept.
	Discarded uint64
}

// String says it in one line, without the last words.
func (e Exit) String() string {
	how := fmt.Sprintf("exited with code %d", e.Code)
	if e.Signal != 0 {
		how = fmt.Sprintf("killed by signal %d (%v)", int(e.Signal), e.Signal)
	}
	if e.Killed {
		how += ", sent by the host"
	}
	if e.Cause != nil {
		how += ": " + e.Cause.Error()
	}
	return how
}
