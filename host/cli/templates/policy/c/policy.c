// An eviction policy: entries are kept in a queue, and evicted from its front. `queue.c` is the algorithm, and this file connects it to the
// interface. `wit/eviction.wit` defines what a policy must do. The arguments of an exported function belong to that function.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/policy.h"
#include "queue.h"

struct exports_eviction_policy_t { queue_t queue; };

void exports_eviction_describe(exports_eviction_description_t *ret) {
  policy_string_dup(&ret->name, "{{name}}");
  policy_string_dup(&ret->version, "0.1.0");
  policy_string_dup(&ret->doc, "Least recently used, or first in, first out.");
  ret->options.len = 1;
  ret->options.ptr = resized(NULL, sizeof *ret->options.ptr);
  policy_string_dup(&ret->options.ptr->name, "order");
  policy_string_dup(&ret->options.ptr->default_, "use");
  policy_string_dup(&ret->options.ptr->doc, "The order of the queue: `use` or `arrival`.");
}

static bool is(policy_string_t text, const char *word) {
  return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

bool exports_eviction_static_policy_create(uint64_t capacity, policy_list_tuple2_string_string_t *options,
                                           exports_eviction_own_policy_t *ret, policy_string_t *err) {
  bool by_use = true, valid = true;
  for (size_t at = 0; at < options->len && valid; at++) {
    policy_string_t name = options->ptr[at].f0, value = options->ptr[at].f1;
    by_use = is(value, "use");
    valid = is(name, "order") && (by_use || is(value, "arrival"));
    if (!valid) {
      char *text = NULL;
      int length = asprintf(&text, "invalid option %.*s=%.*s; the only option is order, which must be use or arrival",
                            (int)name.len, (char *)name.ptr, (int)value.len, (char *)value.ptr);
      if (length < 0) abort();
      *err = (policy_string_t){(uint8_t *)text, length};
    }
  }
  policy_list_tuple2_string_string_free(options);
  if (!valid) return false;
  exports_eviction_policy_t *policy = resized(NULL, sizeof *policy);
  policy->queue = (queue_t){capacity, by_use, resized(NULL, sizeof(node_t)), 1};
  policy->queue.nodes[0] = (node_t){0, 0, 0};
  *ret = exports_eviction_policy_new(policy);
  return true;
}

void exports_eviction_policy_destructor(exports_eviction_policy_t *policy) {
  free(policy->queue.nodes);
  free(policy);
}

void exports_eviction_method_policy_restore(exports_eviction_policy_t *policy, exports_eviction_list_entry_t *entries) {
  for (size_t at = 0; at < entries->len; at++) queue_insert(&policy->queue, entries->ptr[at].id, entries->ptr[at].size);
  exports_eviction_list_entry_free(entries);
}

void exports_eviction_method_policy_observe(exports_eviction_policy_t *policy, exports_eviction_list_event_t *events) {
  for (size_t at = 0; at < events->len; at++) {
    exports_eviction_event_t *event = &events->ptr[at];
    if (event->tag == EXPORTS_EVICTION_EVENT_ACCESSED) queue_access(&policy->queue, event->val.accessed.id);
    else queue_remove(&policy->queue, event->val.removed);
  }
  exports_eviction_list_event_free(events);
}

void exports_eviction_method_policy_place(exports_eviction_policy_t *policy, exports_eviction_list_event_t *events,
                                          exports_eviction_entry_t *candidate, uint64_t needed,
                                          exports_eviction_placement_t *ret) {
  exports_eviction_method_policy_observe(policy, events);
  ret->tag = EXPORTS_EVICTION_PLACEMENT_REFUSE;
  if (candidate->size > policy->queue.capacity) return;
  ret->tag = EXPORTS_EVICTION_PLACEMENT_ADMIT;
  queue_evict(&policy->queue, needed, &ret->val.admit.ptr, &ret->val.admit.len);
  queue_insert(&policy->queue, candidate->id, candidate->size);
}

void exports_eviction_method_policy_evict(exports_eviction_policy_t *policy, exports_eviction_list_event_t *events,
                                          uint64_t needed, exports_eviction_list_entry_id_t *ret) {
  exports_eviction_method_policy_observe(policy, events);
  queue_evict(&policy->queue, needed, &ret->ptr, &ret->len);
}

// The bindings refer to an object file with the description of the world. `wasm-tools component embed` adds it instead.
void __component_type_object_force_link_policy(void) {}
