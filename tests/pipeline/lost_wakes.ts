/** Wake-ups that do not arrive: calls that lanes and routing are given, and never get. */
import { IngressLane } from "../../src/pipeline/ingress_lane.ts";
import { OutboundLane } from "../../src/pipeline/outbound_lane.ts";
import { Reingress } from "../../src/pipeline/reingress.ts";
import { Routing } from "../../src/pipeline/routing.ts";

/** Until it is disposed each wake-up asks `isLost` whether it is. */
export function loseWakes(isLost: () => boolean): Disposable {
  const [outbound, ingress] = [OutboundLane.prototype, IngressLane.prototype];
  const [routing, reingress] = [Routing.prototype, Reingress.prototype];
  const real = {
    wakeOutbound: outbound.wake,
    wakeIngress: ingress.wake,
    readyToRoute: routing.ready,
    readyToTakeIn: reingress.ready,
  };
  outbound.wake = function () {
    if (!isLost()) real.wakeOutbound.call(this);
  };
  ingress.wake = function () {
    if (!isLost()) real.wakeIngress.call(this);
  };
  routing.ready = function (lane) {
    if (!isLost()) real.readyToRoute.call(this, lane);
  };
  reingress.ready = function (lane) {
    if (!isLost()) real.readyToTakeIn.call(this, lane);
  };
  return {
    [Symbol.dispose]() {
      outbound.wake = real.wakeOutbound;
      ingress.wake = real.wakeIngress;
      routing.ready = real.readyToRoute;
      reingress.ready = real.readyToTakeIn;
    },
  };
}
