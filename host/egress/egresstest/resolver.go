// Package egresstest has a name server for tests of what guests may reach.
package egresstest

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolver answers every question for an IPv4 address with what answers gives
// for the n-th of them, from 0, and no question for anything else.
func Resolver(answers func(n int, name string) []netip.Addr) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			// A pipe is no packet connection, so messages have the lengths of TCP.
			var size [2]byte
			if _, err := io.ReadFull(server, size[:]); err != nil {
				return
			}
			query := make([]byte, int(size[0])<<8|int(size[1]))
			if _, err := io.ReadFull(server, query); err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(query) != nil {
				return
			}
			message.Response = true
			question := message.Questions[0]
			if question.Type == dnsmessage.TypeA {
				for _, addr := range answers(int(asked.Add(1)-1), question.Name.String()) {
					message.Answers = append(message.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
						Body:   &dnsmessage.AResource{A: addr.As4()},
					})
				}
			}
			message.Additionals = nil
			packed, _ := message.Pack()
			_, _ = server.Write(append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...))
		}()
		return client, nil
	}}
}
