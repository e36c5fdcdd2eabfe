plugin "a" {
  source = "./a.wasm"

  invoke "again" {
    tool = "b.run"
  }
  invoke "gone" {
    tool = "bb.run"
  }
  invoke "bad" {
    tool = "b.run.more"
  }
  invoke "again" {
    tool = "b"
  }
  invoke "toolless" {
  }
  invoke "Upper" {
    tool = "b"
  }

  state {
    size = "12B"
    path = "./x"
    name = "../audit.jsonl"
  }
}

plugin "b" {
  source = "./b.wasm"

  invoke "c" {
    tool = "c"
  }

  state {
    name = "shared"
  }
}

plugin "c" {
  source = "./c.wasm"

  invoke "a" {
    tool = "a.run"
  }

  state {
    name = "shared"
  }
}

plugin "self" {
  source = "./self.wasm"

  invoke "me" {
    tool = "self.run"
  }
}
