// The algorithm: entries are kept in a queue, and evicted from its front. `policy.c` connects it to the interface.
#include "queue.h"

#include <stdlib.h>
#include <string.h>

void queue_insert(queue_t *queue, uint64_t id, uint64_t size) {
  queue_remove(queue, id);
  if (id + 1 >= queue->length) {
    size_t length = 2 * (id + 1);
    queue->nodes = resized(queue->nodes, length * sizeof(node_t));
    memset(queue->nodes + queue->length, 0, (length - queue->length) * sizeof(node_t));
    queue->length = length;
  }
  size_t last = queue->nodes[0].before;
  queue->nodes[id + 1] = (node_t){size, last, 0};
  queue->nodes[last].after = queue->nodes[0].before = id + 1;
}

static bool is_tracked(const queue_t *queue, uint64_t id) {
  return id + 1 < queue->length && queue->nodes[id + 1].size > 0;
}

void queue_remove(queue_t *queue, uint64_t id) {
  if (!is_tracked(queue, id)) return;
  node_t *node = &queue->nodes[id + 1];
  queue->nodes[node->before].after = node->after;
  queue->nodes[node->after].before = node->before;
  node->size = 0;
}

void queue_access(queue_t *queue, uint64_t id) {
  if (queue->by_use && is_tracked(queue, id)) queue_insert(queue, id, queue->nodes[id + 1].size);
}

void queue_evict(queue_t *queue, uint64_t needed, uint64_t **victims, size_t *count) {
  size_t room = 0;
  *victims = NULL;
  *count = 0;
  for (uint64_t freed = 0; freed < needed && queue->nodes[0].after != 0;) {
    uint64_t id = queue->nodes[0].after - 1;
    if (*count == room) *victims = resized(*victims, (room = 2 * room + 8) * sizeof(uint64_t));
    (*victims)[(*count)++] = id;
    freed += queue->nodes[id + 1].size;
    queue_remove(queue, id);
  }
}

void *resized(void *memory, size_t size) {
  memory = realloc(memory, size);
  if (memory == NULL) abort();
  return memory;
}
