plugin = "../../../../bin/tools/webfetch.wasm"

case "a page becomes Markdown" {
  tool  = "fetch"
  input = { url = "https://news.example/article" }
  grant {
    http {
      allow "news.example" {
        paths = ["/**"]
      }
    }
  }
  answer "GET https://news.example/article" {
    headers = { "Content-Type" = "text/html; charset=utf-8" }
    body    = file("../testdata/pages/article.html")
  }
  expect {
    includes = { title = "Tide clocks of the Wadden Sea – The Harbour Review", language = "en-GB", encoding = "utf-8" }
    text     = ["# Tide clocks of the Wadden\u00a0Sea", "1. The main wheel has 235 teeth."]
    without  = ["We value your privacy", "dataLayer", "Imprint"]
  }
}

case "hidden text stays behind" {
  tool  = "fetch"
  input = { url = "https://news.example/", whole_page = true }
  grant {
    http {
      allow "news.example" {
        paths = ["/**"]
      }
    }
  }
  answer "GET https://news.example/" {
    headers = { "Content-Type" = "text/html" }
    body    = file("../testdata/pages/hidden.html")
  }
  expect {
    text    = ["Flour, water, salt."]
    without = ["HIDDEN"]
  }
}

case "a redirect is a request of its own" {
  tool  = "fetch"
  input = { url = "https://news.example/old" }
  grant {
    http {
      allow "news.example" {
        paths = ["/old"]
      }
    }
  }
  answer "GET https://news.example/old" {
    status  = 301
    headers = { "Location" = "https://elsewhere.example/" }
  }
  expect {
    denied   = "elsewhere.example"
    requests = ["GET https://news.example/old"]
  }
}

case "a PDF is refused" {
  tool  = "fetch"
  input = { url = "https://news.example/a.pdf" }
  grant {
    http {
      allow "news.example" {
        paths = ["/**"]
      }
    }
  }
  answer "GET https://news.example/a.pdf" {
    headers = { "Content-Type" = "application/pdf" }
    body    = "%PDF-1.7"
  }
  expect {
    error = "is a PDF (application/pdf, 8 bytes), which webfetch does not read"
  }
}

case "an address without a scheme" {
  tool  = "fetch"
  input = { url = "news.example" }
  expect {
    bad_arguments = "did you mean \"https://news.example\"?"
  }
}

case "a server that does not answer" {
  tool  = "fetch"
  input = { url = "https://news.example/" }
  grant {
    http {
      allow "news.example" {
      }
    }
  }
  answer "https://news.example/" {
    failure = "connection refused"
  }
  expect {
    error = "could not be reached"
  }
}
