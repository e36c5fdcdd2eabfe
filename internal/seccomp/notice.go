package seccomp

// A process with a listener tells its host where it is over a pipe, and waits
// until the host has it: see Profile.InstallNoticed and Greet. That is over
// before anything of a stranger reaches the process.
const (
	// NoticeEnv is set, to NoticeFD, in the environment of a process whose host
	// wants to hear of refused calls.
	NoticeEnv = "RINGFENCE_NOTICES"
	// NoticeFD is the pipe for the listener's number. The process closes it,
	// and its copy of the listener, before it goes on.
	NoticeFD = 15
)

// The knock is a call that no profile allows and that does no harm where it is
// made after all: of which group is a process that cannot be? Only the listener
// gives the answer that is expected.
const (
	knockCall   = "getpgid"
	knockNumber = 0x7266636b
	knockAnswer = 0x72666f6b
)
