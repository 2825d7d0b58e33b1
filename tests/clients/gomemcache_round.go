// gomemcache, Go's client, makes its whole round, from many goroutines too.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

const (
	timeout      = 20 * time.Second
	shortTimeout = 200 * time.Millisecond
)

func check(ok bool, what ...interface{}) {
	if !ok {
		panic(fmt.Sprint(what...))
	}
}

func is(got, expected error) {
	check(got == expected, "error ", got, " in place of ", expected)
}

func value(item *memcache.Item, err error) string {
	is(err, nil)
	return string(item.Value)
}

func same(got, expected string) {
	check(got == expected, got, " in place of ", expected)
}

func item(key, value string) *memcache.Item {
	return &memcache.Item{Key: key, Value: []byte(value), Flags: 7}
}

func storeAndRead(c *memcache.Client) {
	is(c.Set(item("a", "text")), nil)
	same(value(c.Get("a")), "text")
	found, err := c.Get("a")
	is(err, nil)
	check(found.Flags == 7, "flags ", found.Flags)
	_, err = c.Get("missing")
	is(err, memcache.ErrCacheMiss)
	is(c.Add(item("a", "x")), memcache.ErrNotStored)
	is(c.Add(item("b", "x")), nil)
	is(c.Replace(item("b", "y")), nil)
	is(c.Replace(item("missing", "y")), memcache.ErrNotStored)
	same(value(c.Get("b")), "y")
	_, err = c.Get("a key with blanks")
	is(err, memcache.ErrMalformedKey)
}

func cas(c *memcache.Client) {
	is(c.Set(item("c", "1")), nil)
	found, err := c.Get("c")
	is(err, nil)
	found.Value = []byte("2")
	is(c.CompareAndSwap(found), nil)
	is(c.CompareAndSwap(found), memcache.ErrCASConflict)
	same(value(c.Get("c")), "2")
	is(c.Delete("c"), nil)
	is(c.CompareAndSwap(found), memcache.ErrCacheMiss)
}

func many(c *memcache.Client) {
	var keys []string
	var all sync.WaitGroup
	for i := 0; i < 500; i++ {
		key := fmt.Sprint("many", i)
		keys = append(keys, key)
		all.Add(1)
		go func() {
			defer all.Done()
			is(c.Set(item(key, "value of "+key)), nil)
		}()
	}
	all.Wait()
	found, err := c.GetMulti(append(keys, "missing"))
	is(err, nil)
	check(len(found) == len(keys), len(found), " items in place of ", len(keys))
	for _, key := range keys {
		same(string(found[key].Value), "value of "+key)
		is(c.Delete(key), nil)
	}
	is(c.Delete(keys[0]), memcache.ErrCacheMiss)
}

func numbers(c *memcache.Client) {
	is(c.Set(item("n", "10")), nil)
	n, err := c.Increment("n", 5)
	check(err == nil && n == 15, n, err)
	n, err = c.Decrement("n", 100)
	check(err == nil && n == 0, n, err)
	_, err = c.Increment("missing", 1)
	is(err, memcache.ErrCacheMiss)
	is(c.Set(item("n", "no number")), nil)
	_, err = c.Increment("n", 1)
	check(err != nil, "a word was incremented")
}

func large(c *memcache.Client) {
	large := string(bytes.Repeat([]byte("0123456789"), 90000))
	is(c.Set(item("large", large)), nil)
	same(value(c.Get("large")), large)
	check(c.Set(item("large", large+large)) != nil, "a value too large was stored")
	_, err := c.Get("large")
	is(err, memcache.ErrCacheMiss)
}

func theRest(c *memcache.Client) {
	is(c.Touch("a", 100), nil)
	is(c.Touch("missing", 100), memcache.ErrCacheMiss)
	gone := item("gone", "x")
	gone.Expiration = -1
	is(c.Set(gone), nil)
	_, err := c.Get("gone")
	is(err, memcache.ErrCacheMiss)
	is(c.DeleteAll(), nil)
	_, err = c.Get("a")
	is(err, memcache.ErrCacheMiss)
	is(c.FlushAll(), nil)
}

func server(verb, pid string) {
	is(exec.Command("./server", verb, pid).Run(), nil)
}

func serverLeaves(c *memcache.Client, address, pid string) {
	is(c.Set(item("kept", "x")), nil)
	impatient := memcache.New(address)
	impatient.Timeout = shortTimeout
	server("stop", pid)
	_, err := impatient.Get("kept")
	lost, ok := err.(net.Error)
	check(ok && lost.Timeout(), "error ", err, " in place of a timeout")
	server("resume", pid)
	same(value(c.Get("kept")), "x")
	server("end", pid)
	_, err = c.Get("kept")
	check(err != nil && err != memcache.ErrCacheMiss, "a get was answered by nobody")
	check(impatient.Set(item("kept", "y")) != nil, "a set was answered by nobody")
}

func main() {
	address, pid := net.JoinHostPort(os.Args[1], os.Args[2]), os.Args[3]
	c := memcache.New(address)
	c.Timeout = timeout
	storeAndRead(c)
	cas(c)
	many(c)
	numbers(c)
	large(c)
	theRest(c)
	serverLeaves(c, address, pid)
	fmt.Println("whole round done")
}
