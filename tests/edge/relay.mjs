// The Worker around the meter's object in tests: Miniflare takes 0.1 s to hand a stub to Node, workerd hands it to this.

export { PenstockMeter } from "./meter_object.js";

export default {
  fetch(request, env) {
    const { searchParams } = new URL(request.url);
    return env.METER.get(env.METER.idFromName(searchParams.get("object"))).fetch(request);
  },
};
