package seccomp

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// judgeRule is the meaning of a table, spelt out without a program.
func (t Table) judge(arch Arch, c Call) Action {
	if c.Arch != 0 && c.Arch != arch.audit() || arch == AMD64 && c.Number >= x32Bit {
		return Kill
	}
	for _, r := range t.Rules {
		if n, ok := arch.Number(r.Syscall); !ok || n != c.Number {
			continue
		}
		if len(r.When) == 0 {
			return r.Then
		}
		for _, form := range r.When {
			holds := true
			for _, check := range form {
				v := c.Args[check.Arg]
				if check.Long && v>>32 != 0 || !slices.Contains(check.In, uint32(v)&check.Mask) {
					holds = false
				}
			}
			if holds {
				return r.Then
			}
		}
		return r.Else
	}
	return t.Default
}

// TestLongPrograms builds tables that are much longer than a jump of BPF
// reaches, and compares the program with the table's meaning.
func TestLongPrograms(t *testing.T) {
	var names []string
	for n := range uint32(600) {
		if name := AMD64.Name(n); !strings.HasPrefix(name, "syscall ") {
			names = append(names, name)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		table := Table{Default: Kill}
		for _, i := range random.Perm(len(names))[:random.IntN(250)] {
			table.Rules = append(table.Rules, randomRule(random, names[i], round))
		}
		f, err := table.Assemble(AMD64)
		if err != nil {
			t.Fatalf("%d rules: %v", len(table.Rules), err)
		}
		for range 300 {
			c := Call{Number: uint32(random.IntN(600)), Args: [6]uint64{}}
			for i := range c.Args {
				c.Args[i] = uint64(random.IntN(8))
				if random.IntN(6) == 0 {
					c.Args[i] |= high
				}
			}
			if want, got := table.judge(AMD64, c), run(t, f, c); got != want {
				t.Fatalf("%d rules, %d instructions: %+v: %v, want %v", len(table.Rules), f.Len(), c, got, want)
			}
		}
	}
}

func randomRule(random *rand.Rand, name string, round int) Rule {
	actions := []Action{Allow, Kill, Refuse(EPERM), Refuse(ENOENT), Notify}
	r := Rule{Syscall: name, Then: actions[random.IntN(5)], Else: actions[random.IntN(5)], Why: "by chance"}
	for range random.IntN(2 + round%3) {
		var form Form
		for range 1 + random.IntN(2) {
			c := Check{Arg: random.IntN(6), Long: random.IntN(2) == 0, Mask: ^uint32(random.IntN(2))}
			for range 1 + random.IntN(2) {
				c.In = append(c.In, uint32(random.IntN(8))&c.Mask)
			}
			form = append(form, c)
		}
		r.When = append(r.When, form)
	}
	return r
}

// A jump of exactly 255 instructions, and of one more.
func TestJumpsAtTheLimit(t *testing.T) {
	for n := 240; n < 270; n++ {
		values := make([]uint32, n)
		for i := range values {
			values[i] = uint32(i + 10)
		}
		table := Table{Default: Refuse(EPERM)}.with(
			forms("read", "many values", Form{Long(1, values...), Int(2, 7)}).or(EINVAL), allow("write", "beside it"))
		f, err := table.Assemble(ARM64)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Call{
			f.Call("read", 0, 10, 7), f.Call("read", 0, uint64(n+9), 7), f.Call("read", 0, uint64(n+10), 7),
			f.Call("read", 0, 10, 8), f.Call("read", 0, high|10, 7), f.Call("write"), f.Call("close"),
		} {
			if want, got := table.judge(ARM64, c), run(t, f, c); got != want {
				t.Errorf("%d values: %+v: %v, want %v", n, c, got, want)
			}
		}
	}
	var rules []Rule
	for name := range numbers[AMD64]() {
		values := make([]uint32, 20)
		rules = append(rules, forms(name, "too much", Form{Int(0, values...)}))
	}
	if _, err := (Table{Default: Kill}).with(rules...).Assemble(AMD64); err == nil {
		t.Error("a program longer than the kernel takes was assembled")
	}
}

// The real tables mean what the program does, for every call and for the values
// that matter.
func TestProfilesMeanWhatTheyDo(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	interesting := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 0x10, 0x20, 0x22, 0x32, 0x80, 0x100, 0x800, 0x1000,
		0x20022, 0x4022, 0x50f00, 0x3d0f00, 1034, self, other, high, high | 1, 1<<64 - 1}
	for _, arch := range each {
		for _, p := range []Profile{WASM, Native} {
			for _, stage := range []Stage{One, Two} {
				table, err := p.Table(stage, Params{PID: self})
				if err != nil {
					t.Fatal(err)
				}
				f, err := table.Assemble(arch)
				if err != nil {
					t.Fatal(err)
				}
				for n := range uint32(520) {
					for range 20 {
						c := Call{Number: n}
						for i := range c.Args {
							c.Args[i] = interesting[random.IntN(len(interesting))]
						}
						if want, got := table.judge(arch, c), run(t, f, c); got != want {
							t.Fatalf("%s %s %d: %s %#x: %v, want %v", arch, p, stage, arch.Name(n), c.Args, got, want)
						}
					}
				}
				t.Logf("%s %s, stage %d: %d rules, %d instructions", arch, p, stage, len(table.Rules), f.Len())
			}
		}
	}
}
