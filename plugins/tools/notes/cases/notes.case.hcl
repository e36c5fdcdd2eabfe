plugin = "../../../../bin/tools/notes.wasm"

case "creates a note" {
  tool  = "create"
  input = { title = "Shopping list", text = "- bread\n- salt", folder = "home" }
  files = { "notes/" = "" }
  grant {
    workspace "notes" {
      path   = "./notes"
      access = "write"
    }
  }
  expect {
    includes = { name = "home/shopping-list" }
    files    = { "notes/home/shopping-list.md" = "# Shopping list\n\n- bread\n- salt\n" }
  }
}

case "does not replace one" {
  tool  = "create"
  input = { title = "Here", text = "new" }
  files = { "notes/here.md" = "old" }
  grant {
    workspace "notes" {
      path   = "./notes"
      access = "write"
    }
  }
  expect {
    error = "there is already a note \"here\""
    files = { "notes/here.md" = "old" }
  }
}

case "finds words in notes, and nowhere else" {
  tool  = "search"
  input = { query = "moon tide" }
  files = {
    "notes/a.md"      = "# Tides\n\nThe moon makes the tide.\n"
    "notes/deep/b.md" = "only the moon"
    "notes/c.txt"     = "moon tide"
    "notes/.env"      = "moon tide"
    "outside.md"      = "moon tide"
  }
  grant {
    workspace "notes" {
      path = "./notes"
    }
  }
  expect {
    includes = { total = 1 }
    text     = ["The moon makes the tide."]
  }
}

case "writes nothing where it may only read" {
  tool  = "append"
  input = { name = "a", text = "more" }
  files = { "notes/a.md" = "as it was\n" }
  grant {
    workspace "notes" {
      path = "./notes"
    }
  }
  expect {
    denied = "access"
    files  = { "notes/a.md" = "as it was\n" }
  }
}

case "sees nothing without a workspace" {
  tool = "list"
  expect {
    denied = "workspace"
  }
}
