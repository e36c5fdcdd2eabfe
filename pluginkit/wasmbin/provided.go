package wasmbin

import "slices"

// The modules that a guest can import from.
const (
	ModuleRingfence = "ringfence"
	ModuleWASI      = "wasi_snapshot_preview1"
)

// HostFunction is a function that the sandbox provides.
type HostFunction struct {
	Module, Name string
	Type         FuncType
}

// Provided lists every function that a guest can import, by module and name. The
// sandbox tests that its own tables hold exactly these. The slice is the
// caller's; the signatures in it must not be changed.
func Provided() []HostFunction { return slices.Clone(provided) }

// Lookup finds the signature of a function that the sandbox provides.
func Lookup(module, name string) (FuncType, bool) {
	t, ok := byName[[2]string{module, name}]
	return t, ok
}

// signature is a short form: i is i32 and I is i64; results follow the colon.
type signature string

func (s signature) funcType() FuncType {
	var t FuncType
	into := &t.Params
	for _, c := range s {
		switch c {
		case 'i':
			*into = append(*into, I32)
		case 'I':
			*into = append(*into, I64)
		default:
			into = &t.Results
		}
	}
	return t
}

var provided, byName = tabulate()

func tabulate() (all []HostFunction, index map[[2]string]FuncType) {
	index = make(map[[2]string]FuncType)
	for _, from := range []struct {
		module string
		list   []entry
	}{{ModuleRingfence, ringfenceFunctions}, {ModuleWASI, wasiFunctions}} {
		for _, e := range from.list {
			t := e.is.funcType()
			all = append(all, HostFunction{from.module, e.name, t})
			index[[2]string{from.module, e.name}] = t
		}
	}
	return all, index
}

type entry struct {
	name string
	is   signature
}

// ringfenceFunctions is the table "Imports" of docs/guest-abi.md.
var ringfenceFunctions = []entry{
	{"ask", "iii:I"},
	{"close", "I:i"},
	{"error", "ii:i"},
	{"files", "iiii:I"},
	{"head", "Iii:i"},
	{"http", "iiii:I"},
	{"invoke", "iiii:I"},
	{"log", "iii:"},
	{"progress", "ii:i"},
	{"read", "IIii:i"},
	{"remaining", ":I"},
	{"secret_exists", "ii:i"},
	{"state", "iiii:I"},
	{"updated", "ii:i"},
}

// wasiFunctions is all of WASI preview 1, from wasi_snapshot_preview1.witx.
var wasiFunctions = []entry{
	{"args_get", "ii:i"},
	{"args_sizes_get", "ii:i"},
	{"clock_res_get", "ii:i"},
	{"clock_time_get", "iIi:i"},
	{"environ_get", "ii:i"},
	{"environ_sizes_get", "ii:i"},
	{"fd_advise", "iIIi:i"},
	{"fd_allocate", "iII:i"},
	{"fd_close", "i:i"},
	{"fd_datasync", "i:i"},
	{"fd_fdstat_get", "ii:i"},
	{"fd_fdstat_set_flags", "ii:i"},
	{"fd_fdstat_set_rights", "iII:i"},
	{"fd_filestat_get", "ii:i"},
	{"fd_filestat_set_size", "iI:i"},
	{"fd_filestat_set_times", "iIIi:i"},
	{"fd_pread", "iiiIi:i"},
	{"fd_prestat_dir_name", "iii:i"},
	{"fd_prestat_get", "ii:i"},
	{"fd_pwrite", "iiiIi:i"},
	{"fd_read", "iiii:i"},
	{"fd_readdir", "iiiIi:i"},
	{"fd_renumber", "ii:i"},
	{"fd_seek", "iIii:i"},
	{"fd_sync", "i:i"},
	{"fd_tell", "ii:i"},
	{"fd_write", "iiii:i"},
	{"path_create_directory", "iii:i"},
	{"path_filestat_get", "iiiii:i"},
	{"path_filestat_set_times", "iiiiIIi:i"},
	{"path_link", "iiiiiii:i"},
	{"path_open", "iiiiiIIii:i"},
	{"path_readlink", "iiiiii:i"},
	{"path_remove_directory", "iii:i"},
	{"path_rename", "iiiiii:i"},
	{"path_symlink", "iiiii:i"},
	{"path_unlink_file", "iii:i"},
	{"poll_oneoff", "iiii:i"},
	{"proc_exit", "i:"},
	{"proc_raise", "i:i"},
	{"random_get", "ii:i"},
	{"sched_yield", ":i"},
	{"sock_accept", "iii:i"},
	{"sock_recv", "iiiiii:i"},
	{"sock_send", "iiiii:i"},
	{"sock_shutdown", "ii:i"},
}
