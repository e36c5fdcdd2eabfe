ringfence {
  state_dir = "/var/lib/ringfence"
}

secret "s" {
  file = "/srv/secrets/s"
}

plugin "engined" {
  source  = "./engined"
  seccomp = "native"
  engine  = "wasmer"
  env = {
    LD_PRELOAD = "x"
  }

  limits {
    memory = "1MiB"
  }
}

plugin "module" {
  source  = "./module.wasm"
  seccomp = "native"

  workspace "w" {
    path = "/srv/w"
  }
}

plugin "narrow" {
  source  = "./narrow"
  seccomp = "wsam"
}

plugin "folders" {
  source = "./bin/folders"

  workspace "Bad" {
    path = "/srv/a"
  }
  workspace "a" {
    path   = "/srv/a"
    access = "wirte"
    exec   = true
  }
  workspace "a" {
    path = "/srv/b"
  }
  workspace "pathless" {
  }
  workspace {
    path = "/srv/c"
  }
  workspace "state" {
    path = "/var/lib"
  }
  workspace "below_state" {
    path = "/var/lib/ringfence/modules"
  }
  workspace "secrets" {
    path = "/srv/secrets"
  }
  workspace "policy" {
    path   = "."
    access = "write"
  }
  workspace "source" {
    path   = "./bin"
    access = "write"
  }
}
