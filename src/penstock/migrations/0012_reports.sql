-- Sums of the ledger and of the decisions, kept up by the upkeep, so that reports need not read both whole.
-- How far each book is summed, by the order in which its rows were written. It moves in the batch that sums, from where it was read, or not at all.
create table rollup_marks (
  name text not null,
  seq bigint not null,
  constraint rollup_marks_pkey primary key (name),
  constraint rollup_marks_moved check (seq >= 0)
);
-- What a batch has read once, before it is added to the sums; empty between batches.
create table rollup_usage (
  hour bigint not null,
  tenant text not null,
  owner text not null,
  service text not null,
  route text not null,
  provider text not null,
  model text not null,
  cache text not null,
  requests bigint not null,
  free bigint not null,
  estimated bigint not null,
  input bigint not null,
  cached_input bigint not null,
  cache_write bigint not null,
  output bigint not null,
  amount_nanos bigint not null
);
create table rollup_outcomes (
  hour bigint not null,
  kind text not null,
  low bigint not null,
  number bigint not null
);
-- What was used in each hour, by everybody,
create table usage_hours (
  hour bigint not null,
  service text not null,
  route text not null,
  provider text not null,
  model text not null,
  cache text not null,
  requests bigint not null,
  free bigint not null,
  estimated bigint not null,
  input bigint not null,
  cached_input bigint not null,
  cache_write bigint not null,
  output bigint not null,
  amount_nanos bigint not null,
  constraint usage_hours_pkey primary key (hour, service, route, provider, model, cache)
);
-- by each owner,
create table usage_owners (
  tenant text not null,
  owner text not null,
  hour bigint not null,
  service text not null,
  route text not null,
  provider text not null,
  model text not null,
  cache text not null,
  requests bigint not null,
  free bigint not null,
  estimated bigint not null,
  input bigint not null,
  cached_input bigint not null,
  cache_write bigint not null,
  output bigint not null,
  amount_nanos bigint not null,
  constraint usage_owners_pkey primary key (tenant, owner, hour, service, route, provider, model, cache)
);
-- and on each day by one dimension that has many values: 'user' (an owner), 'tenant', and what comes later.
create table usage_dimensions (
  dimension text not null,
  day bigint not null,
  value text not null,
  requests bigint not null,
  cached bigint not null,
  free bigint not null,
  estimated bigint not null,
  tokens bigint not null,
  amount_nanos bigint not null,
  constraint usage_dimensions_pkey primary key (dimension, day, value)
);
-- How requests ended and how long they took, by 'hour' and by 'day': so many from `low` microseconds to the next bound.
create table outcomes (
  span text not null,
  starts bigint not null,
  service text not null,
  route text not null,
  target text not null,
  cache text not null,
  status bigint not null,
  error text not null,
  low bigint not null,
  number bigint not null,
  constraint outcomes_pkey primary key (span, starts, service, route, target, cache, status, error, low)
);
-- Each bound is 4 % above the last, so that the middle of two is within 2 % of all between them; in microseconds.
create table latency_bounds (
  low bigint not null,
  constraint latency_bounds_pkey primary key (low)
);
insert into latency_bounds (low) values
  (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20), (21),
  (22), (23), (24), (25), (26), (27), (28), (29), (30), (31), (32), (33), (34), (35), (36), (37), (38), (39), (40), (41),
  (42), (43), (44), (45), (46), (47), (48), (49), (50), (52), (54), (56), (58), (60), (62), (64), (66), (68), (70), (72),
  (74), (76), (79), (82), (85), (88), (91), (94), (97), (100), (104), (108), (112), (116), (120), (124), (128), (133), (138),
  (143), (148), (153), (159), (165), (171), (177), (184), (191), (198), (205), (213), (221), (229), (238), (247), (256),
  (266), (276), (287), (298), (309), (321), (333), (346), (359), (373), (387), (402), (418), (434), (451), (469), (487),
  (506), (526), (547), (568), (590), (613), (637), (662), (688), (715), (743), (772), (802), (834), (867), (901), (937),
  (974), (1012), (1052), (1094), (1137), (1182), (1229), (1278), (1329), (1382), (1437), (1494), (1553), (1615), (1679),
  (1746), (1815), (1887), (1962), (2040), (2121), (2205), (2293), (2384), (2479), (2578), (2681), (2788), (2899), (3014),
  (3134), (3259), (3389), (3524), (3664), (3810), (3962), (4120), (4284), (4455), (4633), (4818), (5010), (5210), (5418),
  (5634), (5859), (6093), (6336), (6589), (6852), (7126), (7411), (7707), (8015), (8335), (8668), (9014), (9374), (9748),
  (10137), (10542), (10963), (11401), (11857), (12331), (12824), (13336), (13869), (14423), (14999), (15598), (16221),
  (16869), (17543), (18244), (18973), (19731), (20520), (21340), (22193), (23080), (24003), (24963), (25961), (26999),
  (28078), (29201), (30369), (31583), (32846), (34159), (35525), (36946), (38423), (39959), (41557), (43219), (44947),
  (46744), (48613), (50557), (52579), (54682), (56869), (59143), (61508), (63968), (66526), (69187), (71954), (74832),
  (77825), (80938), (84175), (87542), (91043), (94684), (98471), (102409), (106505), (110765), (115195), (119802), (124594),
  (129577), (134760), (140150), (145756), (151586), (157649), (163954), (170512), (177332), (184425), (191802), (199474),
  (207452), (215750), (224380), (233355), (242689), (252396), (262491), (272990), (283909), (295265), (307075), (319358),
  (332132), (345417), (359233), (373602), (388546), (404087), (420250), (437060), (454542), (472723), (491631), (511296),
  (531747), (553016), (575136), (598141), (622066), (646948), (672825), (699738), (727727), (756836), (787109), (818593),
  (851336), (885389), (920804), (957636), (995941), (1035778), (1077209), (1120297), (1165108), (1211712), (1260180),
  (1310587), (1363010), (1417530), (1474231), (1533200), (1594528), (1658309), (1724641), (1793626), (1865371), (1939985),
  (2017584), (2098287), (2182218), (2269506), (2360286), (2454697), (2552884), (2654999), (2761198), (2871645), (2986510),
  (3105970), (3230208), (3359416), (3493792), (3633543), (3778884), (3930039), (4087240), (4250729), (4420758), (4597588),
  (4781491), (4972750), (5171660), (5378526), (5593667), (5817413), (6050109), (6292113), (6543797), (6805548), (7077769),
  (7360879), (7655314), (7961526), (8279987), (8611186), (8955633), (9313858), (9686412), (10073868), (10476822), (10895894),
  (11331729), (11784998), (12256397), (12746652), (13256518), (13786778), (14338249), (14911778), (15508249), (16128578),
  (16773721), (17444669), (18142455), (18868153), (19622879), (20407794), (21224105), (22073069), (22955991), (23874230),
  (24829199), (25822366), (26855260), (27929470), (29046648), (30208513), (31416853), (32673527), (33980468), (35339686),
  (36753273), (38223403), (39752339), (41342432), (42996129), (44715974), (46504612), (48364796), (50299387), (52311362),
  (54403816), (56579968), (58843166), (61196892), (63644767), (66190557), (68838179), (71591706), (74455374), (77433588),
  (80530931), (83752168), (87102254), (90586344), (94209797), (97978188), (101897315), (105973207), (110212135), (114620620),
  (119205444), (123973661), (128932607), (134089911), (139453507), (145031647), (150832912), (156866228), (163140877),
  (169666512), (176453172), (183511298), (190851749), (198485818), (206425250), (214682260), (223269550), (232200332),
  (241488345), (251147878), (261193793), (271641544), (282507205), (293807493), (305559792), (317782183), (330493470),
  (343713208), (357461736), (371760205), (386630613), (402095837), (418179670), (434906856), (452303130), (470395255),
  (489211065), (508779507), (529130687), (550295914), (572307750), (595200060), (619008062), (643768384), (669519119),
  (696299883), (724151878), (753117953), (783242671), (814572377), (847155272), (881041482), (916283141);
-- Where tables of the first design stood, they are renamed to these before; else these are empty. Views of their old names have both.
create table if not exists first_usage_tracking (
  id text, user_id text, service text, provider text, model text, tokens bigint, cost double precision, timestamp text, metadata text
);
create table if not exists first_user_registrations (
  user_id text, email text, ip text, country text, referrer text, timestamp text
);
create table if not exists first_login_attempts (email text, success integer, ip text, country text, timestamp text);
create table if not exists first_cost_summary (
  date text, total_cost double precision, cloudflare_cost double precision, openai_cost double precision, total_requests bigint
);
create table if not exists first_cache_stats (service text, hits bigint, misses bigint, date text);
