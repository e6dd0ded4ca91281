// The algorithm: entries are kept in a queue, and evicted from its front.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// An entry in the queue, which is a doubly linked list. The size of an entry that is not tracked is 0.
typedef struct { uint64_t size; size_t before, after; } node_t;

// Ids are small, so they are positions in an array: entry `id` is at `id + 1`. Position 0 connects both ends of the list.
typedef struct { uint64_t capacity; bool by_use; node_t *nodes; size_t length; } queue_t;

// Tracks an entry at the end of the queue.
void queue_insert(queue_t *queue, uint64_t id, uint64_t size);

// Stops tracking an entry.
void queue_remove(queue_t *queue, uint64_t id);

// Records a hit.
void queue_access(queue_t *queue, uint64_t id);

// Removes entries until at least `needed` is free, or nothing is left. The caller owns the ids in `victims`.
void queue_evict(queue_t *queue, uint64_t needed, uint64_t **victims, size_t *count);

// Memory of this size, which replaces `memory`. Without memory, the policy traps, and the host falls back to another one.
void *resized(void *memory, size_t size);
