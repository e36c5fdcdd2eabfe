package seccomp

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestABI(t *testing.T) {
	for name, pair := range map[string][2]uint64{
		"PROT_READ": {protRead, unix.PROT_READ}, "PROT_WRITE": {protWrite, unix.PROT_WRITE}, "PROT_EXEC": {protExec, unix.PROT_EXEC},
		"MAP_SHARED": {mapShared, unix.MAP_SHARED}, "MAP_PRIVATE": {mapPrivate, unix.MAP_PRIVATE}, "MAP_FIXED": {mapFixed, unix.MAP_FIXED},
		"MAP_ANONYMOUS": {mapAnonymous, unix.MAP_ANONYMOUS}, "MAP_NORESERVE": {mapNoReserve, unix.MAP_NORESERVE},
		"MAP_STACK": {mapStack, unix.MAP_STACK}, "MAP_FIXED_NOREPLACE": {mapNoReplace, unix.MAP_FIXED_NOREPLACE},
		"MAP_DENYWRITE": {mapDenyWrite, unix.MAP_DENYWRITE}, "MAP_DROPPABLE": {mapDroppable, unix.MAP_DROPPABLE}, "MREMAP_MAYMOVE": {mremapMayMove, unix.MREMAP_MAYMOVE},
		"MADV_DONTNEED": {madvDontNeed, unix.MADV_DONTNEED}, "MADV_FREE": {madvFree, unix.MADV_FREE},
		"MADV_HUGEPAGE": {madvHugePage, unix.MADV_HUGEPAGE}, "MADV_NOHUGEPAGE": {madvNoHugePage, unix.MADV_NOHUGEPAGE},
		"MADV_COLLAPSE":      {madvCollapse, unix.MADV_COLLAPSE},
		"MADV_POPULATE_READ": {madvPopulateRead, unix.MADV_POPULATE_READ}, "MADV_POPULATE_WRITE": {madvPopulateWrite, unix.MADV_POPULATE_WRITE},
		"thread": {cloneThread, unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM |
			unix.CLONE_THREAD},
		"CLONE_SETTLS": {cloneSetTLS, unix.CLONE_SETTLS}, "CLONE_PARENT_SETTID": {cloneParentTID, unix.CLONE_PARENT_SETTID},
		"CLONE_CHILD_CLEARTID": {cloneClearTID, unix.CLONE_CHILD_CLEARTID}, "CLONE_DETACHED": {cloneDetached, unix.CLONE_DETACHED},
		"PR_SET_NAME": {prSetName, unix.PR_SET_NAME}, "PR_SET_DUMPABLE": {prSetDumpable, unix.PR_SET_DUMPABLE},
		"O_RDWR": {oRDWR, unix.O_RDWR}, "O_CREAT": {oCreat, unix.O_CREAT}, "O_EXCL": {oExcl, unix.O_EXCL},
		"O_CLOEXEC": {oCloexec, unix.O_CLOEXEC}, "set id": {setID, unix.S_ISUID | unix.S_ISGID},
		"F_GET_SEALS":     {fGetSeals, unix.F_GET_SEALS},
		"F_DUPFD_CLOEXEC": {fDupFDCloexec, unix.F_DUPFD_CLOEXEC}, "F_SETFL": {fSetFL, unix.F_SETFL}, "F_GETFL": {fGetFL, unix.F_GETFL},
		"F_SETFD": {fSetFD, unix.F_SETFD}, "F_GETFD": {fGetFD, unix.F_GETFD},
		"SECCOMP_SET_MODE_FILTER":   {seccompSetModeFilter, unix.SECCOMP_SET_MODE_FILTER},
		"SECCOMP_FILTER_FLAG_TSYNC": {seccompTSync, unix.SECCOMP_FILTER_FLAG_TSYNC},
		"AF_UNIX":                   {afUnix, unix.AF_UNIX}, "SOCK_STREAM": {sockStream, unix.SOCK_STREAM},
		"SOCK_NONBLOCK": {sockNonblock, unix.SOCK_NONBLOCK}, "SOCK_CLOEXEC": {sockCloexec, unix.SOCK_CLOEXEC},
		"SOL_SOCKET": {solSocket, unix.SOL_SOCKET}, "SO_REUSEADDR": {soReuseAddr, unix.SO_REUSEADDR}, "SO_TYPE": {soType, unix.SO_TYPE},
		"SO_ERROR": {soError, unix.SO_ERROR}, "SO_SNDBUF": {soSndBuf, unix.SO_SNDBUF}, "SO_RCVBUF": {soRcvBuf, unix.SO_RCVBUF},
		"SO_KEEPALIVE": {soKeepAlive, unix.SO_KEEPALIVE}, "SO_ACCEPTCONN": {soAcceptConn, unix.SO_ACCEPTCONN},
		"SO_PROTOCOL": {soProtocol, unix.SO_PROTOCOL}, "SO_DOMAIN": {soDomain, unix.SO_DOMAIN},
		"RENAME_NOREPLACE": {renameNoReplace, unix.RENAME_NOREPLACE}, "RENAME_EXCHANGE": {renameExchange, unix.RENAME_EXCHANGE},
		"MSG_PEEK": {msgPeek, unix.MSG_PEEK}, "MSG_DONTWAIT": {msgDontWait, unix.MSG_DONTWAIT}, "MSG_WAITALL": {msgWaitAll, unix.MSG_WAITALL},
		"MSG_NOSIGNAL": {msgNoSignal, unix.MSG_NOSIGNAL}, "MSG_MORE": {msgMore, unix.MSG_MORE},
		"FALLOC_FL_KEEP_SIZE": {fallocKeepSize, unix.FALLOC_FL_KEEP_SIZE},
		"EOPNOTSUPP":          {uint64(EOPNOTSUPP), uint64(unix.EOPNOTSUPP)},
		"AT_EMPTY_PATH":       {atEmptyPath, unix.AT_EMPTY_PATH},
		"kill":                {uint64(Kill), unix.SECCOMP_RET_KILL_PROCESS}, "allow": {uint64(Allow), unix.SECCOMP_RET_ALLOW},
		"notify": {uint64(Notify), unix.SECCOMP_RET_USER_NOTIF}, "refuse": {uint64(refuse), unix.SECCOMP_RET_ERRNO},
		"EPERM": {uint64(EPERM), uint64(unix.EPERM)}, "ENOENT": {uint64(ENOENT), uint64(unix.ENOENT)},
		"EAGAIN": {uint64(EAGAIN), uint64(unix.EAGAIN)}, "EINVAL": {uint64(EINVAL), uint64(unix.EINVAL)},
		"ENOTTY": {uint64(ENOTTY), uint64(unix.ENOTTY)}, "ENOSYS": {uint64(ENOSYS), uint64(unix.ENOSYS)},
		"EAFNOSUPPORT": {uint64(EAFNOSUPPORT), uint64(unix.EAFNOSUPPORT)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %#x, want %#x", name, pair[0], pair[1])
		}
	}
}
