package main

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// Locks of the slot table: each guards the nodes whose number ends alike, so that connections rarely meet.
const locks = 256

// state is what the moves change: a slot of 256 bytes a node, in one allocation.
type state struct {
	nodes    uint32
	slots    []byte
	guards   [locks]sync.Mutex
	revision atomic.Uint64
	sessions atomic.Uint32
}

func newState(nodes uint32) *state {
	return &state{nodes: nodes, slots: make([]byte, int(nodes)*slotBytes)}
}

// write copies a packet into its slot; 0, or the status of the refusal.
func (s *state) write(node uint32, packet []byte) uint16 {
	guard := &s.guards[node%locks]
	guard.Lock()
	defer guard.Unlock()
	slot := s.slots[int(node)*slotBytes : int(node+1)*slotBytes]
	version, expected := binary.LittleEndian.Uint64(slot[16:]), binary.LittleEndian.Uint64(packet[16:])
	if expected != 0 && expected != version {
		return statusConflict
	}
	clear(slot[copy(slot, packet):])
	slot[12] = slot[8] ^ slot[9]
	slot[13] = 1
	binary.LittleEndian.PutUint64(slot[16:], version+1)
	return 0
}

func (s *state) appendSlot(out []byte, node uint32) []byte {
	if node >= s.nodes {
		return append(out, make([]byte, slotBytes)...)
	}
	guard := &s.guards[node%locks]
	guard.Lock()
	defer guard.Unlock()
	return append(out, s.slots[int(node)*slotBytes:int(node+1)*slotBytes]...)
}
