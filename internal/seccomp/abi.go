package seccomp

// Values of Linux's interface that the tables use. They are the same on all
// architectures here, and golang.org/x/sys/unix has them on Linux only; a test
// compares the two.
const (
	protRead  = 0x1
	protWrite = 0x2
	protExec  = 0x4

	mapShared    = 0x01
	mapPrivate   = 0x02
	mapDroppable = 0x08
	mapFixed     = 0x10
	mapAnonymous = 0x20
	mapDenyWrite = 0x800
	mapNoReserve = 0x4000
	mapStack     = 0x20000
	mapNoReplace = 0x100000 // MAP_FIXED_NOREPLACE

	mremapMayMove = 0x1

	madvDontNeed   = 4
	madvFree       = 8
	madvHugePage   = 14
	madvNoHugePage = 15
	madvCollapse   = 25

	madvPopulateRead  = 22
	madvPopulateWrite = 23

	madvGuardInstall = 102
	madvGuardRemove  = 103

	futexWait       = 0
	futexWake       = 1
	futexRequeue    = 3
	futexCmpRequeue = 4
	futexWakeOp     = 5
	futexWaitBitset = 9
	futexWakeBitset = 10
	futexPrivate    = 0x80
	futexRealtime   = 0x100

	// What a thread shares with its process: memory, file system, descriptors,
	// signal handlers, System V semaphores, and the process itself.
	cloneThread = 0x100 | 0x200 | 0x400 | 0x800 | 0x40000 | 0x10000
	// Where the kernel notes the thread's number and storage.
	cloneSetTLS      = 0x80000
	cloneParentTID   = 0x100000
	cloneClearTID    = 0x200000
	cloneDetached    = 0x400000 // without effect since Linux 2.6
	cloneThreadGo    = cloneThread
	cloneThreadGoTLS = cloneThread | cloneSetTLS // a program without cgo, on amd64
	cloneThreadGlibc = cloneThread | cloneSetTLS | cloneParentTID | cloneClearTID
	cloneThreadMusl  = cloneThreadGlibc | cloneDetached

	prSetName     = 15
	prSetDumpable = 4

	// Who has set-user-ID or set-group-ID files made writes his own programs for
	// others to run as him.
	setID = 0o6000

	oRDWR    = 0x2
	oCreat   = 0x40
	oExcl    = 0x80
	oCloexec = 0x80000

	seccompSetModeFilter = 1
	seccompTSync         = 1

	fGetFD        = 1
	fSetFD        = 2
	fGetFL        = 3
	fSetFL        = 4
	fDupFDCloexec = 1030
	fGetSeals     = 1034

	afUnix       = 1
	sockStream   = 1
	sockNonblock = 0x800
	sockCloexec  = 0x80000

	solSocket    = 1
	soReuseAddr  = 2
	soType       = 3
	soError      = 4
	soSndBuf     = 7
	soRcvBuf     = 8
	soKeepAlive  = 9
	soAcceptConn = 30
	soProtocol   = 38
	soDomain     = 39

	renameNoReplace = 1
	renameExchange  = 2

	msgPeek     = 0x2
	msgDontWait = 0x40
	msgWaitAll  = 0x100
	msgNoSignal = 0x4000
	msgMore     = 0x8000

	fallocKeepSize = 1

	// Of linux/membarrier.h; x/sys has no names for them.
	membarrierQuery               = 0
	membarrierPrivate             = 8
	membarrierRegisterPrivate     = 16
	membarrierPrivateCore         = 32
	membarrierRegisterPrivateCore = 64

	atEmptyPath = 0x1000
)
