package wasi

import (
	"context"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// signature is a function of preview 1 that returns an error number. In params,
// "i" is an i32 and "I" an i64.
type signature struct {
	name, params string
	absent       function // what it does here when nothing else is said
}

func badf(context.Context, guest, []uint64) Errno  { return eBadf }
func nosys(context.Context, guest, []uint64) Errno { return eNoSys }

// preview1 is every function of preview 1 but proc_exit. Those that name a
// descriptor answer EBADF, since there is none that they could name.
var preview1 = []signature{
	{"args_get", "ii", nosys},
	{"args_sizes_get", "ii", nosys},
	{"environ_get", "ii", nosys},
	{"environ_sizes_get", "ii", nosys},
	{"clock_res_get", "ii", nosys},
	{"clock_time_get", "iIi", nosys},
	{"fd_advise", "iIIi", badf},
	{"fd_allocate", "iII", badf},
	{"fd_close", "i", badf},
	{"fd_datasync", "i", badf},
	{"fd_fdstat_get", "ii", badf},
	{"fd_fdstat_set_flags", "ii", badf},
	{"fd_fdstat_set_rights", "iII", badf},
	{"fd_filestat_get", "ii", badf},
	{"fd_filestat_set_size", "iI", badf},
	{"fd_filestat_set_times", "iIIi", badf},
	{"fd_pread", "iiiIi", badf},
	{"fd_prestat_dir_name", "iii", badf},
	{"fd_prestat_get", "ii", badf},
	{"fd_pwrite", "iiiIi", badf},
	{"fd_read", "iiii", badf},
	{"fd_readdir", "iiiIi", badf},
	{"fd_renumber", "ii", badf},
	{"fd_seek", "iIii", badf},
	{"fd_sync", "i", badf},
	{"fd_tell", "ii", badf},
	{"fd_write", "iiii", badf},
	{"path_create_directory", "iii", badf},
	{"path_filestat_get", "iiiii", badf},
	{"path_filestat_set_times", "iiiiIIi", badf},
	{"path_link", "iiiiiii", badf},
	{"path_open", "iiiiiIIii", badf},
	{"path_readlink", "iiiiii", badf},
	{"path_remove_directory", "iii", badf},
	{"path_rename", "iiiiii", badf},
	{"path_symlink", "iiiii", badf},
	{"path_unlink_file", "iii", badf},
	{"poll_oneoff", "iiii", nosys},
	{"proc_raise", "i", nosys},
	{"random_get", "ii", nosys},
	{"sched_yield", "", nosys},
	{"sock_accept", "iii", badf},
	{"sock_recv", "iiiiii", badf},
	{"sock_send", "iiiii", badf},
	{"sock_shutdown", "ii", badf},
}

// function makes the host function of this signature.
func (s signature) function(body function) engine.HostFunction {
	params := make([]engine.ValueType, len(s.params))
	for i, p := range s.params {
		params[i] = engine.I32
		if p == 'I' {
			params[i] = engine.I64
		}
	}
	return engine.HostFunction{
		Module: Module, Name: s.name, Params: params, Results: []engine.ValueType{engine.I32},
		Call: func(ctx context.Context, memory engine.Memory, stack []uint64) {
			stack[0] = uint64(body(ctx, guest{memory}, stack))
		},
	}
}
