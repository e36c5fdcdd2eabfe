# A native plugin: a program of this machine's own, in the same jail as modules.
# It sees one folder and nothing else: no other file, no network, no environment.

plugin "notes" {
  source = "../../bin/plugins/notes" # pin it with sha256 = "…"

  # A process for each call: nothing of one reaches the next. "session" keeps one
  # process, and saves its start.
  lifetime = "session"

  limits {
    memory       = "64MiB" # of the whole process
    cpu_time     = "5s"
    call_timeout = "10s"
  }

  workspace "notes" {
    path   = "./notes"
    access = "write" # or "read", the default: then notes.add fails
  }
}
