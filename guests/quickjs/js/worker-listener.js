// Workers of the old form, which listen to the events of the global object in
// place of exporting handlers: addEventListener("fetch", (event) =>
// event.respondWith(…)). Their modules export nothing.
import { DOMException, TypeError } from "mayfly:intrinsics";
import { Event, dispatchGlobal, hasGlobalListeners, setTrusted } from "mayfly:event";
import { defineInterface, requireArguments } from "mayfly:interface";
import { PromiseReject, PromiseResolve } from "mayfly:primordials";
import { contextOf } from "mayfly:worker";

export const hasListeners = hasGlobalListeners;

let making;
let responseOf;

export class ExtendableEvent extends Event {
  #event;

  constructor(type) {
    if (making === undefined) throw new TypeError("Illegal constructor");
    super(type, { __proto__: null, cancelable: true });
    this.#event = making;
  }

  waitUntil(promise) { contextOf(this.#event).waitUntil(promise); }
  passThroughOnException() { contextOf(this.#event).passThroughOnException(); }
}
defineInterface(ExtendableEvent);

export class FetchEvent extends ExtendableEvent {
  #request;
  #response;

  constructor(type, request) {
    super(type);
    this.#request = request;
  }

  get request() { return this.#request; }

  respondWith(response) {
    requireArguments(arguments.length, 1, "FetchEvent.respondWith");
    if (this.#response !== undefined) throw new DOMException("FetchEvent.respondWith() has already been called; it can only be called once.", "InvalidStateError");
    this.#response = PromiseResolve(response);
    this.stopImmediatePropagation();
  }

  static { responseOf = (event) => event.#response; }
}
defineInterface(FetchEvent);

export class ScheduledEvent extends ExtendableEvent {
  #controller;

  constructor(type, controller) {
    super(type);
    this.#controller = controller;
  }

  get scheduledTime() { return this.#controller.scheduledTime; }
  get cron() { return this.#controller.cron; }
  noRetry() { this.#controller.noRetry(); }
}
defineInterface(ScheduledEvent);

function send(event, Class, type, about) {
  making = event;
  let sent;
  try {
    sent = new Class(type, about);
  } finally {
    making = undefined;
  }
  setTrusted(sent);
  dispatchGlobal(sent);
  return sent;
}

// listenedFetch answers a promise of the response that a listener gave.
export const listenedFetch = (event, request) => responseOf(send(event, FetchEvent, "fetch", request)) ?? PromiseReject(new TypeError("No listener of the event fetch called respondWith()."));

export const listenedScheduled = (event, controller) => { send(event, ScheduledEvent, "scheduled", controller); };
