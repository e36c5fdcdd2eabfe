plugin "module" {
  source = "./a.wasm"

  workspace "w" {
    path       = "/srv/w"
    access     = "write"
    include    = ["[", "/etc/*", "a/../b", "", "fine.env"]
    max_file   = "1GiB"
    max_growth = 7
    max_files  = 0
  }
}

plugin "program" {
  source  = "./bin/program"
  seccomp = "native"

  workspace "w" {
    path    = "/srv/w"
    include = [".env"]
  }
}
