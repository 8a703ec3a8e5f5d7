// What a program does with its memory after a lot of work: V8's and the C library's part of it.
import { trimAllocator } from '../ipvs-node/kernel/libvipvs.ts';
import { releaseMemory } from '../runtime/memory.ts';

export function releaseAllMemory(): void {
  releaseMemory();
  trimAllocator();
}
