// Each Service's state on this node, told once per change: the problems of its objects, of the kernel and of the links.
import type { ClusterView } from '../../api/cluster.ts';
import { serviceRef, type Problem } from '../../api/problem.ts';
import type { Service } from '../../api/kubernetes.ts';
import type { DesiredIndex } from '../desired/all-services.ts';
import type { Retries } from './retries.ts';

export interface ServiceReport {
  /** Nothing but warnings: every port of the Service is in the kernel. */
  readonly isProgrammed: boolean;
  readonly problems: readonly Problem[];
}

/** undefined: the Service asks nothing of this node any more. */
export type OnReport = (service: string, report: ServiceReport | undefined) => void;

export class ServiceReports {
  readonly #view: ClusterView;
  readonly #index: DesiredIndex;
  readonly #book: Retries;
  readonly #tell: OnReport;
  readonly #downLinks = new Set<string>();
  /** Services whose report may be another by now. */
  #due = new Set<string>();
  /** What was told last, as text: empty for no problems, so that many healthy Services cost little. */
  readonly #last = new Map<string, string>();

  constructor(view: ClusterView, index: DesiredIndex, book: Retries, tell: OnReport) {
    this.#view = view;
    this.#index = index;
    this.#book = book;
    this.#tell = tell;
  }

  touch(services: Iterable<string>): void {
    for (const service of services) this.#due.add(service);
  }

  setLink(name: string, isUp: boolean): void {
    if (isUp) this.#downLinks.delete(name);
    else this.#downLinks.add(name);
    for (const each of this.#index.state.addresses.values()) {
      if (each.interface === name) this.touch(this.#index.servicesOfAddress(each.address));
    }
  }

  /** Tells what changed. Only after a round that saw the whole kernel: before that nobody knows. */
  send(): void {
    this.touch(this.#book.takeTouched());
    if (this.#due.size === 0) return;
    const services = this.#due;
    this.#due = new Set();
    for (const key of services) {
      const service = this.#view.services.get(key);
      if (service !== undefined && this.#index.has(key)) this.#sendOne(key, service);
      else if (this.#last.delete(key)) this.#tell(key, undefined);
    }
  }

  #sendOne(key: string, service: Service): void {
    const faults = this.#book.faultsOf(key);
    // an answer was lost: the next round tells, and the book touches the Service again
    if (faults.some(({ problem }) => problem === undefined)) return;
    const object = serviceRef(service);
    const problems: Problem[] = [...this.#index.problemsOf(key)];
    for (const { problem } of faults) {
      if (problem !== undefined) problems.push({ object, ...problem });
    }
    for (const address of this.#index.addressesOf(key)) {
      const name = this.#index.state.addresses.get(address)?.interface;
      if (name === undefined || !this.#downLinks.has(name)) continue;
      const message = `${address}: interface ${name} is down`;
      problems.push({ object, reason: 'InterfaceMissing', message });
    }
    const text = problems.length === 0 ? '' : JSON.stringify(problems);
    if (this.#last.get(key) === text) return;
    this.#last.set(key, text);
    const isProgrammed = problems.every(({ isWarning }) => isWarning === true);
    this.#tell(key, { isProgrammed, problems });
  }
}
